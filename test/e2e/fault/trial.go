// Package fault breaks a workload on the test cluster in the ways in which
// clusters break, and judges what follows.
package fault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/leader-elector/leader-elector/test/e2e/cluster"
	"github.com/leader-elector/leader-elector/test/e2e/listener"
	"github.com/leader-elector/leader-elector/test/e2e/workload"
)

// Trial is one fault, done to fresh pods of one form.
type Trial struct {
	*workload.Workload
	Leader *workload.Pod // who leads when the fault begins
	Node   *cluster.Node // its node
	Other  *cluster.Node // the other, where the listener is
	Notes  []string      // what the fault itself found

	routing *workload.Routing // of a form that routes by its own writing

	asks    map[string]*listener.Ear // by node
	meeting sync.Mutex
	asked   map[string]bool // pods, by UID and address
	begun   time.Time
	mended  time.Time
	before  map[string]workload.Container // sidecars, by pod, before the fault
}

// Result is what a trial found.
type Result struct {
	Fault    string           `json:"fault"`
	Form     string           `json:"form"`
	Trial    int              `json:"trial"`
	Begun    time.Time        `json:"begun"`
	Commit   string           `json:"commit"` // of the source that was tried
	Heard    listener.Hearing `json:"heard"`
	Lead     listener.Leaders `json:"lead"`
	Notes    []string         `json:"notes,omitempty"`
	Problems []string         `json:"problems,omitempty"`
	// Churn is true if the endpoints of other Services changed all the time.
	Churn bool `json:"churn,omitempty"`
	// Moves are the changes of the Service's targets, as the API showed them.
	Moves []workload.Move   `json:"moves,omitempty"`
	Raw   []listener.Record `json:"-"` // what was heard, word by word
}

// Run does the fault to fresh pods. An error means that the trial could not be
// made; what the trial found wrong is among the result's problems.
func (f Fault) Run(ctx context.Context, w *workload.Workload) (r Result, err error) {
	t := &Trial{Workload: w, asks: map[string]*listener.Ear{}, asked: map[string]bool{}}
	r = Result{Fault: f.Name, Form: w.Name}
	if err := t.fresh(ctx); err != nil {
		return r, err
	}
	for _, n := range w.Cluster.Nodes {
		if t.asks[n.Name], err = t.ear(ctx, n, "ask"); err != nil {
			return r, err
		}
		defer t.asks[n.Name].Stop()
	}
	background, stop := context.WithCancel(ctx)
	defer stop()
	go t.meet(background)
	if t.AllReady() || f.Only == "m" {
		if t.routing, err = w.Watch(background); err != nil {
			return r, err
		}
	}
	if w.Churn {
		r.Churn = true
		if err := churn(background, w.Cluster.Plane); err != nil {
			return r, err
		}
	}
	if f.Prelude != nil {
		if err := f.Prelude(ctx, t); err != nil {
			return r, fmt.Errorf("before the fault: %w", err)
		}
	}
	if err := t.steady(ctx, time.Minute); err != nil {
		return r, err
	}
	return t.measure(ctx, f, r)
}

// measure lets a listener hear the fault from beginning to end.
func (t *Trial) measure(ctx context.Context, f Fault, r Result) (Result, error) {
	address, err := t.Address(ctx)
	if err != nil {
		return r, err
	}
	if err := t.Other.Forget(ctx, address); err != nil {
		return r, err
	}
	ear, err := t.ear(ctx, t.Other, "listen", "http://"+address, t.Rate.String())
	if err != nil {
		return r, err
	}
	defer ear.Stop()
	if err := t.warm(ctx, ear); err != nil {
		return r, err
	}
	t.begun = time.Now()
	r.Begun = t.begun
	err = f.Break(ctx, t)
	if err == nil {
		wait(ctx, time.Until(t.begun.Add(f.watch(t.Form))))
	}
	end := time.Now()
	t.mended = end
	if f.Mend != nil {
		// Also after a fault that went wrong, or was cut short: the next trial
		// needs a whole cluster.
		mend, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, f.Mend(mend, t))
		t.mended = time.Now()
	}
	if err != nil {
		return r, err
	}
	if err := t.recovered(ctx, f.Patience); err != nil {
		r.Problems = append(r.Problems, err.Error())
	}
	if f.Mend == nil {
		end = time.Now()
	}
	heard, err := ear.Stop()
	if err != nil {
		return r, fmt.Errorf("the listener: %w", err)
	}
	r.Heard = listener.Hear(heard, t.begun, end)
	r.Raw = heard
	return t.judge(ctx, f, r), ctx.Err()
}

// fresh puts new pods in place, one on each node. The reference's manifest
// leaves that to the scheduler, which nearly always does it.
func (t *Trial) fresh(ctx context.Context) error {
	for try := 1; ; try++ {
		if err := errors.Join(t.Drop(ctx), t.Cluster.WaitNodes(ctx)); err != nil {
			return err
		}
		if err := t.Apply(ctx); err != nil {
			return err
		}
		err := t.spread(ctx)
		if err == nil || try == 3 {
			return err
		}
	}
}

// spread waits until each of two nodes has a pod.
func (t *Trial) spread(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return cluster.Until(ctx, 250*time.Millisecond, func(ctx context.Context) error {
		pods, err := t.Pods(ctx)
		if err != nil {
			return err
		}
		used := map[string]bool{}
		for _, p := range pods {
			if p.Spec.NodeName != "" {
				used[p.Spec.NodeName] = true
			}
		}
		if len(used) != 2 {
			return fmt.Errorf("%d pods are on %d nodes", len(pods), len(used))
		}
		return nil
	})
}

// ear starts this program as a listener in a node's network.
func (t *Trial) ear(ctx context.Context, n *cluster.Node, args ...string) (*listener.Ear, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// It ends by itself when its input does; a signal would lose its records.
	return listener.Start(n.Command(context.WithoutCancel(ctx), self, args...))
}

// steady waits until exactly one of two pods leads and is ready, and notes who.
func (t *Trial) steady(ctx context.Context, patience time.Duration) error {
	if err := t.recovered(ctx, patience); err != nil {
		return fmt.Errorf("the pods do not settle: %w", err)
	}
	pods, err := t.Pods(ctx)
	if err != nil {
		return err
	}
	leader := t.leaders()[0]
	t.before = map[string]workload.Container{}
	for _, p := range pods {
		if p.Name() == leader {
			t.Leader, t.Node = p, t.Cluster.Node(p.Spec.NodeName)
		}
		if t.before[p.Name()], err = p.Container(t.Sidecar); err != nil {
			return err
		}
	}
	if t.Leader == nil {
		return fmt.Errorf("%s leads but is not there", leader)
	}
	t.Other = t.Cluster.Other(t.Node)
	return nil
}

// warm waits until the listener has heard the leader, and nobody else, for two
// seconds. On a node that was cut off, kube-proxy goes by what it knew before
// until its connection to the API has come back to life.
func (t *Trial) warm(ctx context.Context, ear *listener.Ear) error {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	return cluster.Until(ctx, 250*time.Millisecond, func(context.Context) error {
		heard, others := 0, 0
		for _, r := range ear.Records() {
			switch {
			case r.Stream > 0 || time.Since(r.Done) > 2*time.Second:
			case r.Pod == t.Leader.Name():
				heard++
			default:
				others++
			}
		}
		if heard < int(1600*time.Millisecond/t.Rate) || others > 0 {
			return fmt.Errorf("before the fault the leader answers %d requests in two seconds, and %d are lost or answered by another", heard, others)
		}
		return nil
	})
}

// meet tells the ears of pods that come, until ctx ends.
func (t *Trial) meet(ctx context.Context) {
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, 2*time.Second)
		if pods, err := t.Pods(asking); err == nil {
			t.introduce(pods)
		}
		cancel()
		wait(ctx, 250*time.Millisecond)
	}
}

// introduce has pods asked that are not asked yet. One whose sandbox was
// restarted has another address.
func (t *Trial) introduce(pods []*workload.Pod) {
	t.meeting.Lock()
	defer t.meeting.Unlock()
	for _, p := range pods {
		if key := p.Metadata.UID + p.Status.PodIP; !t.asked[key] && p.Status.PodIP != "" {
			t.asked[key] = true
			t.asks[p.Spec.NodeName].Tell(p.Name() + " " + p.Status.PodIP)
		}
	}
}

// recovered waits until exactly one pod leads and serves, another stands by,
// and it stays so: a controller may be in the middle of its work.
func (t *Trial) recovered(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var since time.Time
	return cluster.Until(ctx, 250*time.Millisecond, func(ctx context.Context) error {
		if err := t.settled(ctx); err != nil {
			since = time.Time{}
			return err
		}
		if since.IsZero() {
			since = time.Now()
		}
		if time.Since(since) < 2*time.Second {
			return errors.New("it has only just settled")
		}
		return nil
	})
}

// settled says what is missing for one pod to lead, and another to stand by.
func (t *Trial) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	pods, err := t.Pods(ctx)
	if err != nil {
		return err
	}
	t.introduce(pods)
	byName := map[string]*workload.Pod{}
	for _, p := range pods {
		byName[p.Name()] = p
		if p.Metadata.DeletionTimestamp != nil {
			return fmt.Errorf("pod %s is still ending", p.Name())
		}
	}
	want := 1
	if t.AllReady() {
		want = 2
	}
	if n := workload.Ready(pods); len(pods) != 2 || n != want {
		return fmt.Errorf("of %d pods %d are ready; it should be 2 and %d", len(pods), n, want)
	}
	leaders := t.leaders()
	if len(leaders) != 1 || byName[leaders[0]] == nil {
		return fmt.Errorf("%v say that they lead; it should be one of the pods", leaders)
	}
	leader := byName[leaders[0]]
	if !leader.Ready() {
		return fmt.Errorf("%s leads and is not ready", leader.Name())
	}
	if t.AllReady() {
		return t.routing.LeadsTo(leader)
	}
	return nil
}

// leaders are the pods whose latest answer, of the last second, is that they
// lead. A failure is no answer: it may be of an address that a pod had before.
func (t *Trial) leaders() []string {
	latest := map[string]listener.Record{}
	for _, ear := range t.asks {
		for _, r := range ear.Records() {
			if r.Error == "" && r.Sent.After(latest[r.Pod].Sent) {
				latest[r.Pod] = r
			}
		}
	}
	var names []string
	for name, r := range latest {
		if r.Leads && time.Since(r.Done) < time.Second {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
