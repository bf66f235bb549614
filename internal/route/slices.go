package route

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/kube"
)

// SliceConfig says whose traffic follows which election. All but Pod.Node and
// Log must be given.
type SliceConfig struct {
	Client   *kube.Client
	Election string
	Service  string // in the pod's namespace
	Pod      Pod    // this candidate's own
	Start    string // random, of this process alone: tells its slices from a predecessor's in this pod

	// Confirm returns nil once a renewal of the term that was sent after the
	// call is stored: elector.Confirm.
	Confirm func(context.Context, elector.Term) error
	// Cede offers the lead to anybody: elector.StepDown.
	Cede func(context.Context) error

	// Changed is told what keeps the traffic from following the lead, and nothing
	// when that is over. It must not block. Nil: nobody is told.
	Changed func(fault string)
	Log     *slog.Logger // nil: no log
}

// Validate reports every fault at once.
func (c *SliceConfig) Validate() error {
	var faults []error
	for _, f := range []struct {
		missing bool
		what    string
	}{
		{c.Client == nil, "Client"}, {c.Service == "", "Service"}, {c.Start == "", "Start"},
		{c.Pod.Namespace == "", "Pod.Namespace"}, {c.Pod.Name == "", "Pod.Name"}, {c.Pod.UID == "", "Pod.UID"},
		{len(c.Pod.IPs) == 0, "Pod.IPs"}, {c.Confirm == nil, "Confirm"}, {c.Cede == nil, "Cede"},
	} {
		if f.missing {
			faults = append(faults, fmt.Errorf("%s is missing", f.what))
		}
	}
	return errors.Join(faults...)
}

// Slices keeps the EndpointSlices of a Service at the leader's address. It is an
// [elector.Follower]: while it leads it writes, watches and repairs them. When
// its lead ends the address stays, for the successor to replace in one write.
type Slices struct {
	cfg     SliceConfig
	log     *slog.Logger
	writer  string
	service kube.Ref
	slices  kube.Ref // all of the namespace's

	mu     sync.Mutex
	lead   *sliceLead       // the present or the last one
	states map[string]state // by the slice's name
	told   string           // the fault that the log knows
	fault  error
	since  time.Time // of the fault
	ceded  time.Time // when the lead was last offered for want of a write
}

// NewSlices contacts nobody.
func NewSlices(cfg SliceConfig) (*Slices, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Slices{
		cfg:     cfg,
		log:     cfg.Log.With("election", cfg.Election, "service", cfg.Pod.Namespace+"/"+cfg.Service),
		writer:  cfg.Pod.UID + "/" + cfg.Start,
		service: kube.Ref{APIVersion: "v1", Resource: "services", Namespace: cfg.Pod.Namespace, Name: cfg.Service},
		slices:  kube.Ref{APIVersion: "discovery.k8s.io/v1", Resource: "endpointslices", Namespace: cfg.Pod.Namespace},
		states:  map[string]state{},
	}, nil
}

func (s *Slices) ref(family string) kube.Ref {
	ref := s.slices
	ref.Name = SliceName(s.cfg.Service, family)
	return ref
}

// podFamilies are those that the pod has an address of.
func (s *Slices) podFamilies() []string {
	return slices.DeleteFunc(slices.Clone(families), func(family string) bool { _, ok := s.cfg.Pod.IP(family); return !ok })
}

// Lead begins to write, watch and repair, until ctx ends.
func (s *Slices) Lead(ctx context.Context, term elector.Term) error {
	l := &sliceLead{s: s, term: term, news: make(chan struct{}, 1), done: make(chan struct{}), watches: map[string]context.CancelFunc{}}
	ctx, l.cancel = context.WithCancel(ctx)
	s.mu.Lock()
	previous := s.lead
	s.lead = l
	s.mu.Unlock()
	go func() {
		defer close(l.done)
		if previous != nil {
			<-previous.done // it was told to end; a Stop may have run out of time
		}
		l.run(ctx)
	}()
	return nil
}

// Stop returns when nothing is written any more. The address stays.
func (s *Slices) Stop(ctx context.Context, _ elector.Reason) error {
	s.mu.Lock()
	l := s.lead
	s.mu.Unlock()
	if l == nil {
		return nil
	}
	l.cancel()
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the endpoint slices are still being written: %w", ctx.Err())
	}
}

// Check says what would keep this candidate, if it led, from sending the
// traffic here. It writes nothing.
func (s *Slices) Check(ctx context.Context) error {
	if err := s.checkRights(ctx); err != nil {
		return err
	}
	p, err := s.look(ctx, false)
	if err != nil {
		return err
	}
	if err := s.bad(p); err != nil {
		return err
	}
	return s.unserved(p.service)
}

// Run checks at the start of a candidate, until all is well or ctx ends. While
// it leads, its writes are the check.
func (s *Slices) Run(ctx context.Context) {
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		if !s.leads() {
			within, cancel := context.WithTimeout(ctx, checkWithin)
			err := s.Check(within)
			cancel()
			if ctx.Err() == nil && !s.leads() {
				s.tell(err)
			}
			if err == nil {
				return
			}
		}
		if !sleep(ctx, jitter(wait)) {
			return
		}
	}
}

func (s *Slices) leads() bool {
	s.mu.Lock()
	l := s.lead
	s.mu.Unlock()
	if l == nil {
		return false
	}
	select {
	case <-l.done:
		return false
	default:
		return true
	}
}

// tell keeps a fault, or its end, for the status, and logs a change once.
func (s *Slices) tell(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == s.told {
		return
	}
	if s.told == "" || err == nil {
		s.since = time.Now()
	}
	s.told, s.fault = text, err
	if err != nil {
		s.log.Warn("the traffic may not follow the leader", "error", text)
	} else {
		s.log.Info("the traffic follows the leader again")
	}
	changed(s.cfg.Changed, text)
}

// SliceRouting is what /status shows of this way of routing.
type SliceRouting struct {
	Route       string      `json:"route"` // "endpointslice"
	Service     string      `json:"service"`
	Slices      []SliceView `json:"slices"` // as this pod last knew them while it led; a standby asks nobody
	LastError   string      `json:"lastError"`
	LastErrorAt *time.Time  `json:"lastErrorAt"`
}

// SliceView is one slice.
type SliceView struct {
	Name      string     `json:"name"`
	Addresses []string   `json:"addresses"`
	Term      string     `json:"term"`  // of its writer
	Mine      bool       `json:"mine"`  // written by this process
	Since     *time.Time `json:"since"` // that it has held this pod's address; null: it does not
}

// Routing is the present view, for /status.
func (s *Slices) Routing() SliceRouting {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := SliceRouting{Route: "endpointslice", Service: s.cfg.Pod.Namespace + "/" + s.cfg.Service, Slices: []SliceView{}}
	for _, family := range families {
		st, ok := s.states[SliceName(s.cfg.Service, family)]
		if !ok || st.slice == nil {
			continue
		}
		v := SliceView{Name: st.slice.Metadata.Name, Addresses: st.slice.addresses(), Term: st.slice.Metadata.Annotations[noteTerm], Mine: st.mine}
		if st.mine {
			since := st.since.UTC()
			v.Since = &since
		}
		r.Slices = append(r.Slices, v)
	}
	if s.fault != nil {
		at := s.since.UTC()
		r.LastError, r.LastErrorAt = s.told, &at
	}
	return r
}
