package route

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/leader-elector/leader-elector/internal/kube"
)

const (
	// endAfter is how long a successor has to replace the address of a pod that
	// ends.
	endAfter = 2 * time.Second
	// endWithin bounds the whole end.
	endWithin = 3 * time.Second
)

// End is for a process that ends with its pod, after its release: if no
// successor replaces what this process wrote last within 2 s, it takes its
// address out of it, by one swap on exactly that version. It takes 3 s at most,
// and no time where this process did not write last.
func (s *Slices) End(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	s.mu.Lock()
	l := s.lead
	s.mu.Unlock()
	if l == nil {
		return
	}
	l.cancel()
	select {
	case <-l.done:
	case <-ctx.Done():
		return
	}
	var work sync.WaitGroup
	for _, family := range families {
		if st := s.known(SliceName(s.cfg.Service, family)); st.mine {
			work.Go(func() { s.endOne(ctx, family, st.slice) })
		}
	}
	work.Wait()
}

func (s *Slices) endOne(ctx context.Context, family string, last *slice) {
	if s.replaced(ctx, family, last) || ctx.Err() != nil {
		return
	}
	body, err := json.Marshal(last.emptied())
	if err == nil {
		_, err = s.cfg.Client.Update(ctx, s.ref(family), body)
	}
	switch {
	case err == nil:
		s.log.Info("nobody followed in time, so this pod's address is taken out of the endpoint slice", "slice", last.Metadata.Name)
	case kindOf(err) == raced || missing(err):
		s.log.Debug("the endpoint slice is not what this pod wrote last", "slice", last.Metadata.Name, "error", err)
	default:
		s.log.Warn("this pod's address could not be taken out of the endpoint slice", "slice", last.Metadata.Name, "error", err)
	}
}

// replaced watches the slice until it is another than what this pod wrote last,
// or its time is over.
func (s *Slices) replaced(ctx context.Context, family string, last *slice) (yes bool) {
	ctx, cancel := context.WithTimeout(ctx, endAfter)
	defer cancel()
	s.cfg.Client.Watch(ctx, s.ref(family), func(e kube.Event) {
		switch e.Type {
		case kube.Listed, kube.Changed:
			now, err := parseSlice(e.Object)
			yes = yes || err == nil && (now.version() > last.version() || now.Metadata.UID != last.Metadata.UID)
		case kube.Deleted:
			yes = true
		}
		if yes {
			cancel()
		}
	})
	return yes
}
