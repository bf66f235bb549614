package route

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	elector "github.com/leader-elector/leader-elector"
)

// picture is all that decides what may be written.
type picture struct {
	service *service
	foreign []string          // names of slices of the Service that are not ours, and hold an endpoint
	own     map[string]*slice // by family; nil: there is none
}

// look reads it all consistently: the Service, the names of all its slices, and
// our own. In a hurry it asks for all at once, which takes connections that are
// made for it; else in turn, over the one that stands.
func (s *Slices) look(ctx context.Context, hurry bool) (*picture, error) {
	ctx, cancel := context.WithTimeout(ctx, requestWithin)
	defer cancel()
	p := &picture{own: map[string]*slice{}}
	read := s.podFamilies()
	own, errs := make([]*slice, len(read)), make([]error, len(read))
	var named []string
	var serviceErr, listErr error
	reads := []func(){
		func() { p.service, serviceErr = s.getService(ctx) },
		func() { named, listErr = s.list(ctx) },
	}
	for i, family := range read {
		reads = append(reads, func() { own[i], errs[i] = s.get(ctx, family) })
	}
	together(hurry, reads)
	if err := worst(append(errs, serviceErr, listErr)...); err != nil {
		return nil, err
	}
	for i, family := range read {
		p.own[family] = own[i]
	}
	return p, s.sort(ctx, p, named)
}

// together does them at once, or one after the other.
func together(atOnce bool, all []func()) {
	var work sync.WaitGroup
	for _, do := range all {
		if atOnce {
			work.Go(do)
		} else {
			do()
		}
	}
	work.Wait()
}

// sort tells our slices from foreign ones, and reads those of ours that have not
// been: of a family that this pod has no address of, and some leader had.
func (s *Slices) sort(ctx context.Context, p *picture, named []string) (err error) {
	for _, family := range families {
		i := slices.Index(named, SliceName(s.cfg.Service, family))
		if i < 0 {
			continue
		}
		named = slices.Delete(named, i, i+1)
		if _, ok := p.own[family]; ok {
			continue
		}
		if p.own[family], err = s.get(ctx, family); err != nil {
			return err
		}
	}
	p.foreign, err = s.filled(ctx, named)
	return err
}

// filled are those of the foreign slices that hold an endpoint. One that holds
// none adds nothing to ours: that is how a Service's old slices are made harmless
// by whoever can write objects and not delete them. They are read whole only
// where there are any, and one that cannot be read counts as filled.
func (s *Slices) filled(ctx context.Context, foreign []string) ([]string, error) {
	if len(foreign) == 0 {
		return nil, nil
	}
	all, err := s.cfg.Client.ListWhole(ctx, s.slices, labelService+"="+s.cfg.Service)
	if err != nil {
		return nil, err
	}
	var filled []string
	for _, body := range all {
		now, err := parseSlice(body)
		if err != nil {
			return nil, err
		}
		if !s.ours(now.Metadata.Name) && !same(now.Endpoints, nil) {
			filled = append(filled, now.Metadata.Name)
		}
	}
	slices.Sort(filled)
	return filled, nil
}

func (s *Slices) ours(name string) bool {
	return slices.ContainsFunc(families, func(family string) bool { return name == SliceName(s.cfg.Service, family) })
}

func (s *Slices) getService(ctx context.Context) (*service, error) {
	body, err := s.cfg.Client.Get(ctx, s.service)
	switch {
	case missing(err):
		return nil, &fault{err: fmt.Errorf("there is no Service %s/%s; create it, without a selector, or change --service", s.cfg.Pod.Namespace, s.cfg.Service)}
	case err != nil:
		return nil, err
	}
	return parseService(body)
}

// list names the slices of the Service.
func (s *Slices) list(ctx context.Context) ([]string, error) {
	all, err := s.cfg.Client.List(ctx, s.slices, labelService+"="+s.cfg.Service)
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.Name
	}
	slices.Sort(names)
	return names, err
}

// get reads our slice of a family, nil if there is none.
func (s *Slices) get(ctx context.Context, family string) (*slice, error) {
	body, err := s.cfg.Client.Get(ctx, s.ref(family))
	switch {
	case missing(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return parseSlice(body)
}

// order is one write that a leader wants to make.
type order struct {
	family   string
	old, put *slice
	doubt    string // why old may be a successor's, so that the lead must be confirmed before
	repair   bool   // somebody changed what this leader wrote
}

// plan says what to write for the leader of a term.
func (s *Slices) plan(p *picture, term elector.Term) []order {
	var orders []order
	for _, family := range families {
		old := p.own[family]
		put := s.draw(old, family, p.service, term)
		empty := same(put.Endpoints, nil)
		switch {
		case old == nil && empty:
			continue // no address to write, and none to take away
		case old != nil && empty && same(old.Endpoints, nil):
			continue
		case old != nil && old.says(put):
			continue
		}
		o := order{family: family, old: old, put: put, doubt: s.doubt(old, term)}
		known := s.known(put.Metadata.Name)
		o.repair = known.mine && (old == nil || known.slice.Metadata.ResourceVersion != old.Metadata.ResourceVersion)
		orders = append(orders, o)
	}
	return orders
}

// doubt says why a slice may have been written by a later leader than that of
// term: then only a renewal that is stored after the slice was read proves that
// there is none. A slice without a term may have been anybody's.
func (s *Slices) doubt(old *slice, term elector.Term) string {
	if old == nil {
		return ""
	}
	wrote, err := old.term()
	switch {
	case err != nil:
		return err.Error()
	case wrote > term:
		return fmt.Sprintf("its term %v is higher than this leader's, %v", wrote, term)
	case wrote == term && old.Metadata.Annotations[noteWriter] != s.writer:
		return fmt.Sprintf("its term %v is this leader's, and another wrote it", wrote)
	}
	return ""
}

// write carries out one order: a swap of exactly the version that was read, or
// a creation.
func (s *Slices) write(ctx context.Context, o order) error {
	ctx, cancel := context.WithTimeout(ctx, requestWithin)
	defer cancel()
	body, err := json.Marshal(o.put)
	if err != nil {
		return err
	}
	if o.old == nil {
		body, err = s.cfg.Client.Create(ctx, s.ref(o.family), body)
	} else {
		body, err = s.cfg.Client.Update(ctx, s.ref(o.family), body)
	}
	switch {
	case missing(err): // deleted since
		return &fault{kind: raced, err: err}
	case err != nil:
		return err
	}
	stored, err := parseSlice(body)
	if err != nil {
		return err
	}
	s.know(o.family, stored, stored.says(o.put))
	return nil
}

func (s *Slices) known(name string) state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.states[name]
}

// know keeps what the server last said of our slice of a family.
func (s *Slices) know(family string, now *slice, mine bool) {
	name := SliceName(s.cfg.Service, family)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now == nil {
		delete(s.states, name)
		return
	}
	st := state{slice: now, mine: mine}
	if mine {
		if st.since = s.states[name].since; st.since.IsZero() {
			st.since = time.Now()
		}
	}
	s.states[name] = st
}
