package route

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/kube"
)

// labelLead is one term's work.
type labelLead struct {
	l      *Labels
	term   elector.Term
	cancel context.CancelFunc
	done   chan struct{}
	news   chan struct{} // the watch brought something

	failures int // in a row

	mu    sync.Mutex
	blind error // why the pods cannot be watched
}

// run labels and repairs until ctx ends.
func (t *labelLead) run(ctx context.Context) {
	var watch sync.WaitGroup
	defer watch.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch.Go(func() { t.l.cfg.Client.WatchLabelled(ctx, t.l.pods, t.l.cfg.Selector, t.hear) })
	for {
		err := t.turn(ctx)
		if ctx.Err() != nil {
			return
		}
		if !t.rest(ctx, t.pause(err)) {
			return
		}
	}
}

// hear takes what the watch brings: a reason to look, never more.
func (t *labelLead) hear(e kube.Event) {
	switch e.Type {
	case kube.Up, kube.Forbidden:
		t.mu.Lock()
		t.blind = e.Err // Up brings none
		t.mu.Unlock()
	case kube.Failed:
		return
	}
	select {
	case t.news <- struct{}{}:
	default:
	}
}

// pause tells a fault, or its end, and says how long to wait.
func (t *labelLead) pause(err error) time.Duration {
	if err != nil && kindOf(err) == raced {
		t.failures++
		return raceRetry << min(t.failures, 6)
	}
	t.mu.Lock()
	blind := t.blind
	t.mu.Unlock()
	t.l.tell(worst(err, blind))
	if err == nil {
		t.failures = 0
		return jitter(lookEvery)
	}
	t.failures++
	return jitter(min(retryMin<<min(t.failures-1, 5), retryMax))
}

func (t *labelLead) rest(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.news:
	case <-ctx.Done():
		return false
	}
	return true
}

// turn reads all pods of the election and writes what differs. The own pod is
// labelled last of all that matters, when nobody else is labelled leader: the
// Service must never have two.
func (t *labelLead) turn(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, requestWithin)
	defer cancel()
	pods, err := t.l.list(within)
	if err != nil {
		return err
	}
	t.l.show(pods)
	own := find(pods, t.l.cfg.Pod)
	if own == nil {
		return t.l.unselected()
	}
	for _, p := range pods {
		if newer := termOf(p); newer > t.term {
			return &fault{err: fmt.Errorf("the pod %s was labelled for term %v, which is later than this lead's %v, so nothing is written; "+
				"if etcd was restored, remove the pods' annotation: kubectl -n %s annotate pod %s %s-", p.Name, newer, t.term, t.l.cfg.Pod.Namespace, p.Name, noteTerm)}
		}
	}
	if err := t.relabel(within, pods, own, func(role string) bool { return role == roleLeader }); err != nil {
		return err
	}
	if err := t.label(within, *own, roleLeader); err != nil {
		return err
	}
	return t.relabel(within, pods, own, func(role string) bool { return role != roleLeader })
}

// relabel makes standbys of those other pods whose label is among the given.
func (t *labelLead) relabel(ctx context.Context, pods []kube.Metadata, own *kube.Metadata, chosen func(role string) bool) error {
	var faults []error
	for i, p := range pods {
		if &pods[i] != own && chosen(p.Labels[labelRole]) {
			faults = append(faults, t.label(ctx, p, roleStandby))
		}
	}
	return worst(faults...)
}

// label writes a role unless the pod has it. The leader's carries its own term,
// a standby's that of whoever saw that it is one.
func (t *labelLead) label(ctx context.Context, p kube.Metadata, role string) error {
	if p.Labels[labelRole] == role && (role == roleStandby || termOf(p) == t.term) {
		return nil
	}
	_, err := t.l.cfg.Client.Patch(ctx, t.l.ref(p.Name), p, map[string]string{labelRole: role}, map[string]string{noteTerm: t.term.String()})
	switch {
	case missing(err):
		return nil // the pod is gone, and its label with it
	case err == nil:
		t.l.log.Info("a pod is labelled", "pod", p.Name, "role", role, "was", p.Labels[labelRole], "term", t.term.String())
	}
	return err
}

// show keeps what was read for the status.
func (l *Labels) show(pods []kube.Metadata) {
	roles := make([]RoleView, len(pods))
	for i, p := range pods {
		roles[i] = RoleView{Pod: p.Name, Role: p.Labels[labelRole], Term: p.Annotations[noteTerm]}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.roles = roles
}

// find is the own pod among those read; one of its name with another UID is its
// successor, which has a candidate of its own.
func find(pods []kube.Metadata, own Pod) *kube.Metadata {
	for i, p := range pods {
		if p.Name == own.Name && (own.UID == "" || p.UID == own.UID) {
			return &pods[i]
		}
	}
	return nil
}

// termOf is the term with which a pod was labelled; what is no term counts as
// none, and is written over.
func termOf(p kube.Metadata) elector.Term {
	term, err := strconv.ParseUint(p.Annotations[noteTerm], 10, 64)
	if err != nil {
		return 0
	}
	return elector.Term(term)
}
