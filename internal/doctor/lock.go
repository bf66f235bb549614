package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
	"github.com/leader-elector/leader-elector/internal/lock"
)

// record is the lock as it was read.
type record struct {
	engine.Record
	age time.Duration // since its last renewal, by its holder's clock and the API server's
}

// held says whether somebody holds the lock and has renewed it lately.
func (r *record) held() bool {
	return r != nil && r.Holder != "" && r.Holder != engine.Vacant && r.age <= r.Duration+engine.ForeignSlack
}

// term is the lead's fencing token; zero: none that can be read.
func (r *record) term() engine.Term {
	if r == nil || !r.Intact() {
		return 0
	}
	return r.Seal.Term
}

// read reads a lock of one kind; a nil record without an error is none.
func (p *patient) read(ctx context.Context, kind string) (*record, error) {
	l, err := lock.New(p.api.Client, lock.Kind(kind), p.cfg.Namespace, p.cfg.Election)
	if err != nil {
		return nil, err
	}
	a := l.Read(ctx)
	switch a.Outcome {
	case engine.OK:
		r := &record{Record: a.Record}
		if !r.Renewed.IsZero() {
			r.age = time.Since(r.Renewed)
			if p.api.skew.Abs() > skewLimit { // the server's date is too coarse for less
				r.age -= p.api.skew
			}
			r.age = max(0, r.age)
		}
		return r, nil
	case engine.Absent:
		return nil, nil
	}
	return nil, fmt.Errorf("%s", a.Err)
}

// theLock looks at what the lock says.
func theLock(ctx context.Context, p *patient) {
	for _, kind := range p.locks() {
		p.oneLock(ctx, kind)
	}
}

func (p *patient) oneLock(ctx context.Context, kind string) {
	r, err := p.read(ctx, kind)
	switch {
	case err != nil:
		p.fail(finding{text: fmt.Sprintf("the lock cannot be read: %v", err), mend: "see the rights and the API server in this report"})
		return
	case r == nil:
		p.ok("the lock %s %s/%s is not there yet: the first candidate makes it", kind, p.cfg.Namespace, p.cfg.Election)
		return
	}
	p.record = r
	if r.Malformed != "" {
		p.fail(finding{text: "the lock's record cannot be read: " + r.Malformed,
			mend:     "the candidates wait for the longest lease and then write over it; if it stays, delete the lock:",
			commands: []string{p.kubectl("delete %s %s", singular(kind), p.cfg.Election)}})
		return
	}
	p.holder(r)
	p.duration(r)
	p.wishes(r, kind)
}

// holder looks at who has the lock, and whether that is somebody with our name.
func (p *patient) holder(r *record) {
	age := r.age.Round(100 * time.Millisecond)
	mine := p.token.Kubernetes.Pod.UID
	twin := finding{mend: "give each candidate an --id of its own: leave it out to use the pod's name"}
	switch {
	case r.Holder == "":
		p.ok("nobody holds the lock%s", map[bool]string{true: "; it was released"}[r.Intact()])
	case r.Holder == engine.Vacant:
		p.ok("the lock is new: it is taken when a lease has passed")
	case r.Holder == p.cfg.ID && r.Foreign() && r.held():
		twin.text = fmt.Sprintf("a client-go or 0.5 candidate holds the lock under this candidate's name %q", r.Holder)
		p.fail(twin)
	case r.Holder == p.cfg.ID && r.Intact() && mine != "" && r.Seal.PodUID != "" && r.Seal.PodUID != mine && r.held():
		twin.text = fmt.Sprintf("another pod (uid %s) holds the lock under this candidate's name %q", r.Seal.PodUID, r.Holder)
		twin.mend += "; a pod that was made anew under its old name gets the lock when the lease has run out"
		p.fail(twin)
	case !r.held():
		p.warn(finding{text: fmt.Sprintf("%s holds the lock and has not renewed it for %v (ttl %v); nobody took it over", r.Holder, age, r.Duration),
			mend: "see in the candidates' logs or /status why nobody campaigns: paused, unfit, or none runs"})
	case r.Foreign():
		p.ok("%s holds the lock: a candidate of client-go or 0.5, renewed %v ago", r.Holder, age)
	case !r.Intact():
		p.warn(finding{text: fmt.Sprintf("%s holds the lock, but somebody edited the record since: it counts as nobody's, and is taken when the longest lease has passed", r.Holder),
			mend: "leave the lock's fields to the candidates; hand over by the annotation leader-elector.io/switchover-to"})
	default:
		p.ok("%s holds the lock, term %v, renewed %v ago, %d transitions", r.Holder, r.Seal.Term, age, r.Transitions)
	}
}

// duration compares the lock's ttl with ours (laws 10 and 17).
func (p *patient) duration(r *record) {
	switch {
	case r.Holder == "" || r.Holder == engine.Vacant || r.Duration == p.cfg.TTL:
	case r.Foreign() && p.cfg.TTL > r.Duration:
		p.fail(finding{text: fmt.Sprintf("--ttl=%v is longer than the %v that the foreign holder %s writes: it would take the lock while this candidate still leads", p.cfg.TTL, r.Duration, r.Holder),
			mend: fmt.Sprintf("give --ttl=%v or less to all leader-elector candidates", r.Duration)})
	case !r.Foreign():
		p.warn(finding{text: fmt.Sprintf("the holder's ttl is %v, this candidate's %v", r.Duration, p.cfg.TTL),
			mend: "give all candidates the same --ttl, and let that roll end before the lock is ever deleted"})
	}
}

// wishes looks at what operators wrote on the lock.
func (p *patient) wishes(r *record, kind string) {
	object := singular(kind) + " " + p.cfg.Election
	if r.Paused {
		p.warn(finding{text: "the election is paused: if its holder is lost, nobody follows", mend: "resume it when the work is done:",
			commands: []string{p.kubectl("annotate %s leader-elector.io/paused-", object)}})
	}
	q := r.Request
	if q == nil {
		return
	}
	forget := []string{p.kubectl("annotate %s leader-elector.io/switchover-to-", object)}
	switch {
	case q.From == "":
		p.fail(finding{text: fmt.Sprintf("the annotation leader-elector.io/switchover-to=%q names no holder, so nobody obeys it", q.To),
			mend: "write HOLDER/CANDIDATE, or HOLDER/ for anybody, or remove it:", commands: forget})
	case q.From != r.Holder:
		p.warn(finding{text: fmt.Sprintf("a hand-over by %s is asked for, who is not the holder: the holder's next write removes it", q.From), mend: "wait, or remove it:", commands: forget})
	default:
		p.warn(finding{text: fmt.Sprintf("a hand-over from %s to %s is asked for and not done yet", q.From, or(q.To, "anybody")),
			mend: "ask again in two seconds; if it stays, the holder does not watch its lock (see its log), or remove it:", commands: forget})
	}
}

// otherLock looks for an election of this name in the other kind of lock: half
// of a migration.
func otherLock(ctx context.Context, p *patient) {
	kind := map[string]string{"leases": "endpoints", "endpoints": "leases"}[p.cfg.Lock]
	if kind == "" {
		return
	}
	r, err := p.read(ctx, kind)
	switch {
	case err != nil:
		p.ok("whether there is a lock of this name in the %s too was not looked at: this account may not read them", kind)
		return
	case r == nil || r.Holder == "" || r.Holder == engine.Vacant:
		p.ok("no other election of this name in the %s", kind)
		return
	case r.held():
		p.fail(finding{text: fmt.Sprintf("%s leads an election of the same name with --lock=%s: two leaders", r.Holder, kind),
			mend: "give all candidates the same --lock; the way from one to the other without an end is --lock=endpoints+leases in between (docs/migrating-from-0.5.md)"})
		return
	}
	forget := p.kubectl("delete lease %s", p.cfg.Election)
	if kind == "endpoints" { // the object may be a Service's
		forget = p.kubectl("annotate endpoints %s control-plane.alpha.kubernetes.io/leader-", p.cfg.Election)
	}
	p.warn(finding{text: fmt.Sprintf("a lock of the same name is left over in the %s, last held by %s", kind, r.Holder),
		mend: "if no candidate uses --lock=" + kind + " any more, remove it:", commands: []string{forget}})
}

// kubectl is a command on the election's namespace.
func (p *patient) kubectl(format string, args ...any) string {
	return "kubectl -n " + p.cfg.Namespace + " " + fmt.Sprintf(format, args...)
}

func singular(resource string) string {
	if resource == "leases" {
		return "lease"
	}
	return resource
}
