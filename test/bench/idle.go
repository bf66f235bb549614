package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
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

// idlePairs of each program are left alone but for the probes that every pod
// gets; idleWarm after their start their requests are counted for idleCount,
// and then their memory is read.
const (
	idlePairs = 3
	probeTime = time.Second
	// manyProbes make enough garbage for it to be collected.
	manyProbes = 3600
	idleWarm   = 30 * time.Second
	idleCount  = 90 * time.Second
)

// idle: what pairs at rest ask of the API server, and the memory they hold
// after two minutes.
func (b *bench) idle(ctx context.Context) error {
	return each(ctx, len(b.programs), func(ctx context.Context, i int) error { return b.idleOf(ctx, b.programs[i]) })
}

func (b *bench) idleOf(ctx context.Context, p *program) error {
	namespaces := map[string]bool{}
	var leaders, standbys []*process
	probed, stop := context.WithCancel(ctx)
	var probes sync.WaitGroup
	defer probes.Wait()
	defer stop()
	for range idlePairs {
		namespace, err := b.plane.Namespace(ctx)
		if err != nil {
			return err
		}
		leader, standby, err := b.pair(ctx, p, namespace)
		if err != nil {
			return err
		}
		defer b.end(leader, standby)
		namespaces[namespace] = true
		leaders, standbys = append(leaders, leader), append(standbys, standby)
		probes.Go(func() { probing(probed, leader, standby) })
	}
	if err := b.countIdle(ctx, p, namespaces); err != nil {
		return err
	}
	return b.readIdle(p, leaders, standbys)
}

// readIdle reports what the processes hold, now and after many probes.
func (b *bench) readIdle(p *program, leaders, standbys []*process) error {
	for _, c := range leaders {
		if !c.leads() {
			return fmt.Errorf("a leader at rest lost its lead\n%s", c.lastWords())
		}
	}
	if err := b.addMemory(memoryLeader, p, leaders); err != nil {
		return err
	}
	if err := b.addMemory(memoryStandby, p, standbys); err != nil {
		return err
	}
	// Until the first garbage is collected, memory only grows.
	for _, c := range leaders {
		for range manyProbes {
			if err := c.probe(); err != nil {
				return err
			}
		}
	}
	if err := b.addMemory(memoryLater, p, leaders); err != nil {
		return err
	}
	return b.addSize(p)
}

// probing asks all as their kubelets do, until the context ends. A process that
// nobody asks would hold less memory than one in a pod.
func probing(ctx context.Context, all ...*process) {
	for pause(ctx, probeTime) == nil {
		for _, c := range all {
			c.probe() // What is wrong with it shows in the figures.
		}
	}
}

var prober = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: probeTime}

// probe is one readinessProbe: a request on a connection of its own.
func (c *process) probe() error {
	resp, err := prober.Get("http://" + c.addr + "/leader")
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// countIdle waits, and reports the requests that were made meanwhile.
func (b *bench) countIdle(ctx context.Context, p *program, namespaces map[string]bool) error {
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
	b.addRequests(p, before, after)
	return nil
}

// request is a kind of request: whose, and what.
type request struct {
	standby bool
	verb    string
}

// addRequests reports what was asked between two counts.
func (b *bench) addRequests(p *program, before, after map[request]int) {
	all, standby, watches := 0, 0, 0
	verbs := map[string]int{}
	for r, n := range after {
		n -= before[r]
		all += n
		verbs[r.verb] += n
		switch {
		case r.standby && r.verb == "watch":
			watches += n
		case r.standby:
			standby += n
		}
	}
	per := func(n int) float64 { return float64(n) / idleCount.Seconds() / idlePairs }
	var kinds []string
	for _, verb := range slices.Sorted(maps.Keys(verbs)) {
		if verbs[verb] > 0 {
			kinds = append(kinds, fmt.Sprintf("%.2f %s", per(verbs[verb]), verb))
		}
	}
	b.report.add(idleAll, p, fmt.Sprintf("%.2f per second (%s)", per(all), strings.Join(kinds, ", ")), per(all) <= 0.25)
	text := fmt.Sprintf("%.2f per second", per(standby))
	if standby == 0 {
		text = fmt.Sprintf("none (%d watches renewed by %d standbys in %v)", watches, idlePairs, idleCount)
	}
	b.report.add(idleStandby, p, text, standby == 0)
}

// requests counts those that the audit log has about these namespaces.
func (b *bench) requests(namespaces map[string]bool) (map[request]int, error) {
	f, err := os.Open(b.audit)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return countRequests(f, namespaces)
}

// countRequests reads an audit log. Its last line may be half written.
func countRequests(log io.Reader, namespaces map[string]bool) (map[request]int, error) {
	n := map[request]int{}
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct {
			Verb      string
			User      struct{ Username string }
			ObjectRef struct{ Namespace string }
		}
		if json.Unmarshal(lines.Bytes(), &e) != nil || !namespaces[e.ObjectRef.Namespace] {
			continue
		}
		n[request{standby: strings.HasSuffix(e.User.Username, ":"+standbyID), verb: e.Verb}]++
	}
	return n, lines.Err()
}

// addMemory reports the median of the processes.
func (b *bench) addMemory(f figure, p *program, all []*process) error {
	var resident, private []time.Duration // medians are taken of durations; a KiB is a nanosecond here
	for _, c := range all {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
		if err != nil {
			return err
		}
		resident, private = append(resident, field(status, "VmRSS:")), append(private, field(status, "RssAnon:"))
	}
	rss, anon := float64(median(resident))/1024, float64(median(private))/1024
	b.report.add(f, p, fmt.Sprintf("%.1f MiB resident, %.1f MiB private", rss, anon), rss <= 12 && anon <= 4)
	return nil
}

// field is a number of /proc/PID/status.
func field(status []byte, name string) time.Duration {
	for line := range bytes.Lines(status) {
		if f := strings.Fields(string(line)); len(f) > 1 && f[0] == name {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return time.Duration(n)
		}
	}
	return 0
}

func (b *bench) addSize(p *program) error {
	info, err := os.Stat(p.path)
	if err != nil {
		return err
	}
	mb := float64(info.Size()) / 1e6
	b.report.add(size, p, fmt.Sprintf("%.1f MB", mb), mb <= 9)
	return nil
}
