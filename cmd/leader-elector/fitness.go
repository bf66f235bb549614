package main

import (
	"sync"

	elector "github.com/leader-elector/leader-elector"
)

// fitness joins what several say of the app: it is fit if all of them say so,
// and the first that does not gives the reason.
type fitness struct {
	e *elector.Elector

	mu   sync.Mutex // held while the elector is told, so that it hears the newest last
	said []verdict
}

type verdict struct {
	fit    bool
	reason string
}

// voice is one more that is heard; until it says something it has no objection.
func (f *fitness) voice() func(fit bool, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	me := len(f.said)
	f.said = append(f.said, verdict{fit: true})
	return func(fit bool, reason string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.said[me] = verdict{fit, reason}
		for _, v := range f.said {
			if !v.fit {
				f.e.SetFit(false, v.reason)
				return
			}
		}
		f.e.SetFit(true, "")
	}
}
