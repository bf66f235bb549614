package route

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/kube"
)

// What label routing writes on pods, beside the term.
const (
	labelRole = "leader-elector.io/role"

	roleLeader  = "leader"
	roleStandby = "standby"
)

// LabelElection is the label by which the pods of an election are found where
// nothing else is said.
const LabelElection = "leader-elector.io/election"

// LabelConfig says which pods follow which election. All but Log must be given.
type LabelConfig struct {
	Client   *kube.Client
	Election string
	Pod      Pod    // this candidate's own
	Selector string // of the pods of the election, as the API takes label selectors

	// Changed is told what keeps the traffic from following the lead, and nothing
	// when that is over. It must not block. Nil: nobody is told.
	Changed func(fault string)
	Log     *slog.Logger // nil: no log
}

// Validate reports every fault at once.
func (c *LabelConfig) Validate() error {
	var faults []error
	for _, f := range []struct {
		missing bool
		what    string
	}{
		{c.Client == nil, "Client"}, {c.Selector == "", "Selector"},
		{c.Pod.Namespace == "", "Pod.Namespace"}, {c.Pod.Name == "", "Pod.Name"},
	} {
		if f.missing {
			faults = append(faults, fmt.Errorf("%s is missing", f.what))
		}
	}
	return errors.Join(faults...)
}

// Labels keeps the role label of the pods of an election: the leader's says
// leader, every other's standby. It is an [elector.Follower]: while it leads it
// writes, watches and repairs them, and before its lead is released it takes the
// leader's label from its own pod.
type Labels struct {
	cfg  LabelConfig
	log  *slog.Logger
	pods kube.Ref

	mu    sync.Mutex
	lead  *labelLead // the present or the last one
	roles []RoleView
	told  string // the fault that the log knows
	since time.Time
}

// NewLabels contacts nobody.
func NewLabels(cfg LabelConfig) (*Labels, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Labels{
		cfg:  cfg,
		log:  cfg.Log.With("election", cfg.Election, "selector", cfg.Selector),
		pods: kube.Ref{APIVersion: "v1", Resource: "pods", Namespace: cfg.Pod.Namespace},
	}, nil
}

func (l *Labels) ref(name string) kube.Ref {
	ref := l.pods
	ref.Name = name
	return ref
}

// Lead begins to write, watch and repair, until ctx ends.
func (l *Labels) Lead(ctx context.Context, term elector.Term) error {
	lead := &labelLead{l: l, term: term, news: make(chan struct{}, 1), done: make(chan struct{})}
	ctx, lead.cancel = context.WithCancel(ctx)
	l.mu.Lock()
	previous := l.lead
	l.lead = lead
	l.mu.Unlock()
	go func() {
		defer close(lead.done)
		if previous != nil {
			<-previous.done // it was told to end; a Stop may have run out of time
		}
		lead.run(ctx)
	}()
	return nil
}

// Stop takes the leader's label from the own pod, so that no new connection
// comes here when the lock is released. A label that cannot be taken away does
// not hold the release up: the successor takes it before it labels itself.
func (l *Labels) Stop(ctx context.Context, _ elector.Reason) error {
	l.mu.Lock()
	lead := l.lead
	l.mu.Unlock()
	if lead == nil {
		return nil
	}
	lead.cancel()
	select {
	case <-lead.done:
	case <-ctx.Done():
		return fmt.Errorf("the pods are still being labelled: %w", ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, requestWithin)
	defer cancel()
	if err := l.withdraw(ctx, lead.term); err != nil {
		l.log.Warn("this pod keeps the leader's label until the successor takes it away", "error", err)
	}
	return nil
}

// Clear takes a leader's label from this pod that a process before this one
// left. It is for a candidate that does not lead.
func (l *Labels) Clear(ctx context.Context) {
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		within, cancel := context.WithTimeout(ctx, checkWithin)
		err := l.check(within)
		if err == nil {
			err = l.withdraw(within, 0)
		}
		cancel()
		if l.leads() || ctx.Err() != nil {
			return // the leader's own turns say what is wrong
		}
		l.tell(err)
		if err == nil || !sleep(ctx, jitter(wait)) {
			return
		}
	}
}

// leads says whether this process labels as the leader now.
func (l *Labels) leads() bool {
	l.mu.Lock()
	lead := l.lead
	l.mu.Unlock()
	if lead == nil {
		return false
	}
	select {
	case <-lead.done:
		return false
	default:
		return true
	}
}

// withdraw makes the own pod a standby if it is labelled leader, unless somebody
// wrote it for a later term than ours.
func (l *Labels) withdraw(ctx context.Context, term elector.Term) error {
	for {
		pods, err := l.list(ctx)
		if err != nil {
			return err
		}
		own := find(pods, l.cfg.Pod)
		if own == nil {
			return l.unselected()
		}
		if own.Labels[labelRole] != roleLeader || term != 0 && termOf(*own) > term {
			return nil
		}
		_, err = l.cfg.Client.Patch(ctx, l.ref(own.Name), *own, map[string]string{labelRole: roleStandby}, nil)
		if err == nil {
			l.log.Info("this pod is labelled standby", "pod", own.Name)
		}
		if kindOf(err) != raced || err == nil {
			return err
		}
	}
}

func (l *Labels) list(ctx context.Context) ([]kube.Metadata, error) {
	return l.cfg.Client.List(ctx, l.pods, l.cfg.Selector)
}

func (l *Labels) unselected() error {
	return &fault{err: fmt.Errorf("this pod %s/%s is none of those that --pod-selector=%q chooses; give the pod template that label",
		l.cfg.Pod.Namespace, l.cfg.Pod.Name, l.cfg.Selector)}
}

// check says which rules are missing for what a leader does.
func (l *Labels) check(ctx context.Context) error {
	var verbs []string
	for _, verb := range []string{"list", "watch", "patch"} {
		ok, err := l.cfg.Client.May(ctx, verb, l.pods)
		switch {
		case kube.Unaskable(err):
			return nil
		case err != nil:
			return fmt.Errorf("the rights cannot be checked: %w", err)
		case !ok:
			verbs = append(verbs, verb)
		}
	}
	if len(verbs) == 0 {
		return nil
	}
	return &fault{err: fmt.Errorf("this account may not label the pods of namespace %s; add to the Role: %s", l.cfg.Pod.Namespace, l.pods.Rule(verbs...))}
}

// tell keeps a fault, or its end, for the status, and logs a change once.
func (l *Labels) tell(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == l.told {
		return
	}
	if l.told == "" || err == nil {
		l.since = time.Now()
	}
	l.told = text
	if err != nil {
		l.log.Warn("the traffic may not follow the leader", "error", text)
	} else {
		l.log.Info("the traffic follows the leader again")
	}
	changed(l.cfg.Changed, text)
}

// LabelRouting is what /status shows of this way of routing.
type LabelRouting struct {
	Route       string     `json:"route"` // "label"
	Selector    string     `json:"selector"`
	Pods        []RoleView `json:"pods"` // as this pod last knew them while it led; a standby asks nobody
	LastError   string     `json:"lastError"`
	LastErrorAt *time.Time `json:"lastErrorAt"`
}

// RoleView is one pod's label.
type RoleView struct {
	Pod  string `json:"pod"`
	Role string `json:"role"` // "leader", "standby", or what somebody else wrote
	Term string `json:"term"` // with which it was written
}

// Routing is the present view, for /status.
func (l *Labels) Routing() LabelRouting {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := LabelRouting{Route: "label", Selector: l.cfg.Selector, Pods: append([]RoleView{}, l.roles...), LastError: l.told}
	if l.told != "" {
		at := l.since.UTC()
		r.LastErrorAt = &at
	}
	return r
}
