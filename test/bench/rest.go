package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// auditPolicy writes one line for each request about a lease, and nothing else.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ResponseStarted, ResponseComplete, Panic]
rules:
- level: Metadata
  userGroups: ["system:serviceaccounts"]
  resources: [{group: coordination.k8s.io, resources: [leases]}]
- level: None
`

// idlePairs of each program are left alone; idleWarm after their start their
// requests are counted for idleCount, and then their memory is read.
const (
	idlePairs = 3
	idleWarm  = 60 * time.Second
	idleCount = 60 * time.Second
)

// idle: what pairs at rest ask of the API server, and the memory they hold
// after two minutes.
func (b *bench) idle(ctx context.Context) error {
	return each(ctx, len(b.programs), func(ctx context.Context, i int) error { return b.idleOf(ctx, b.programs[i]) })
}

func (b *bench) idleOf(ctx context.Context, p *program) error {
	namespaces := map[string]bool{}
	var leaders, standbys []*process
	for range idlePairs {
		namespace, err := b.plane.Namespace(ctx)
		if err != nil {
			return err
		}
		leader, standby, err := b.pair(ctx, p, namespace)
		if err != nil {
			return err
		}
		namespaces[namespace] = true
		leaders, standbys = append(leaders, leader), append(standbys, standby)
	}
	if err := pause(ctx, idleWarm); err != nil {
		return err
	}
	before, err := b.requests(namespaces)
	if err != nil {
		return err
	}
	if err := pause(ctx, idleCount); err != nil {
		return err
	}
	after, err := b.requests(namespaces)
	if err != nil {
		return err
	}
	per := func(n int) float64 { return float64(n) / idleCount.Seconds() / idlePairs }
	total := per(after.all - before.all)
	b.report.add("an idle pair's requests to the API server", "0.25 per second", p,
		fmt.Sprintf("%.2f per second (%.2f writes)", total, per(after.writes-before.writes)), total <= 0.25)
	for role, all := range map[string][]*process{"leader": leaders, "standby": standbys} {
		rss, anon, err := memory(all)
		if err != nil {
			return err
		}
		b.report.add("memory of the "+role+" after two minutes", "12 MiB resident, 4 MiB private", p,
			fmt.Sprintf("%.1f MiB resident, %.1f MiB private", rss, anon), rss <= 12 && anon <= 4)
	}
	info, err := os.Stat(p.path)
	if err != nil {
		return err
	}
	size := float64(info.Size()) / 1e6
	b.report.add("size of the program, stripped", "9 MB", p, fmt.Sprintf("%.1f MB", size), size <= 9)
	b.end(append(leaders, standbys...)...)
	return nil
}

type counted struct{ all, writes int }

// requests counts the audit log's lines about these namespaces. A watch is one.
func (b *bench) requests(namespaces map[string]bool) (n counted, err error) {
	f, err := os.Open(b.audit)
	if errors.Is(err, os.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct {
			Verb      string
			ObjectRef struct{ Namespace string }
		}
		if json.Unmarshal(lines.Bytes(), &e) != nil || !namespaces[e.ObjectRef.Namespace] {
			continue // the last line may be half written
		}
		n.all++
		if e.Verb == "update" || e.Verb == "create" || e.Verb == "patch" {
			n.writes++
		}
	}
	return n, lines.Err()
}

// memory is the median of the processes, in MiB.
func memory(all []*process) (rss, anon float64, err error) {
	var r, a []time.Duration // medians are taken of durations; a KiB is a nanosecond here
	for _, c := range all {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
		if err != nil {
			return 0, 0, err
		}
		r, a = append(r, time.Duration(field(status, "VmRSS:"))), append(a, time.Duration(field(status, "RssAnon:")))
	}
	return float64(median(r)) / 1024, float64(median(a)) / 1024, nil
}

func field(status []byte, name string) int64 {
	for line := range bytes.Lines(status) {
		if f := strings.Fields(string(line)); len(f) > 1 && f[0] == name {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n
		}
	}
	return 0
}

// outages: the API server away for a minute, killed and frozen, under pairs of
// ours. Two names at once end the bench.
func (b *bench) outages(ctx context.Context) error {
	server := b.plane.APIServer
	for _, how := range []struct {
		name        string
		begin, over func() error
	}{
		{"killed", server.Kill, server.Start},
		{"frozen", server.Pause, server.Resume},
	} {
		const n = 3
		pairs := make([]*watchedPair, n)
		for i := range pairs {
			leader, standby, err := b.pair(ctx, b.ours, "")
			if err != nil {
				return err
			}
			pairs[i] = &watchedPair{members: [2]*process{leader, standby}}
		}
		watching, stop := context.WithCancel(ctx)
		var work sync.WaitGroup
		for _, p := range pairs {
			work.Go(func() { p.watch(watching) })
		}
		back, err := b.outage(ctx, how.begin, how.over, pairs)
		stop()
		work.Wait()
		if err != nil {
			return err
		}
		for _, p := range pairs {
			if p.both > 0 {
				return fmt.Errorf("API server %s: both of a pair answered their own name, %d times", how.name, p.both)
			}
			b.end(p.members[:]...)
		}
		b.report.add("API server "+how.name+" for 60 s: from its /readyz to a leader", "2 s", b.ours, spread(back, time.Millisecond), worst(back) <= 2*time.Second)
	}
	return nil
}

func (b *bench) outage(ctx context.Context, begin, over func() error, pairs []*watchedPair) (back []time.Duration, err error) {
	begun := time.Now()
	if err := begin(); err != nil {
		return nil, err
	}
	if err := pause(ctx, time.Minute); err != nil {
		return nil, err
	}
	for _, p := range pairs {
		if last := p.lastLead(); last.Sub(begun) > ttl {
			return nil, fmt.Errorf("somebody led %v after the API server was gone", last.Sub(begun))
		}
		for _, c := range p.members {
			select {
			case <-c.gone:
				return nil, fmt.Errorf("candidate %s ended during the outage", c.id)
			default:
			}
		}
	}
	if err := over(); err != nil {
		return nil, err
	}
	if err := b.plane.WaitReady(ctx); err != nil {
		return nil, err
	}
	ready := time.Now()
	for _, p := range pairs {
		if err := p.members[0].until(ctx, 5*time.Millisecond, func() bool { return p.lastLead().After(begun.Add(ttl)) }); err != nil {
			return nil, err
		}
		back = append(back, max(0, p.firstAfter(begun.Add(ttl)).Sub(ready)))
	}
	return back, nil
}

// watchedPair asks both of a pair for their names, again and again.
type watchedPair struct {
	members [2]*process
	mu      sync.Mutex
	led     []time.Time
	both    int
}

// watch asks both at once: two names that overlap in time are two leaders.
func (p *watchedPair) watch(ctx context.Context) {
	for ctx.Err() == nil {
		var self [2]bool
		var asked, answered [2]time.Time
		var work sync.WaitGroup
		for i, c := range p.members {
			work.Go(func() {
				asked[i] = time.Now()
				_, body := c.get("/")
				answered[i] = time.Now()
				self[i] = body == c.self()
			})
		}
		work.Wait()
		p.mu.Lock()
		if self[0] || self[1] {
			p.led = append(p.led, time.Now())
		}
		// A lead that moved between two answers is no overlap; ask again.
		if self[0] && self[1] && p.again() {
			p.both++
		}
		p.mu.Unlock()
		if pause(ctx, 20*time.Millisecond) != nil {
			return
		}
	}
}

// again says whether both still name themselves, asked one after the other and
// the first once more: then they did so at one instant.
func (p *watchedPair) again() bool {
	for _, i := range []int{0, 1, 0} {
		if _, body := p.members[i].get("/"); body != p.members[i].self() {
			return false
		}
	}
	return true
}

func (p *watchedPair) lastLead() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.led) == 0 {
		return time.Time{}
	}
	return p.led[len(p.led)-1]
}

func (p *watchedPair) firstAfter(t time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, at := range p.led {
		if at.After(t) {
			return at
		}
	}
	return time.Time{}
}
