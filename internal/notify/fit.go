package notify

import (
	"context"
	"time"
)

// unheard is why nobody leads while the app may still act for a lead that is over.
const unheard = "the app has not accepted yet that it does not lead"

// Unheard is the fitness of an app that was not told anything.
func (p *Post) Unheard() (fit bool, reason string) { return false, unheard }

// owes makes the candidate unfit until a stop was accepted: one whose app may
// act for an earlier lead, or does not answer at all, is of no use as a leader.
func (p *Post) owes(n *news) {
	p.mu.Lock()
	select {
	case <-n.done: // it was accepted meanwhile, or the process ends
	default:
		p.owed = n
	}
	p.mu.Unlock()
	p.tellFit()
}

// refuse makes the candidate unfit for a while. An app that does not take the
// lead would not take it a moment later either, and each try is time in which
// nobody acts.
func (p *Post) refuse(why error) {
	p.mu.Lock()
	pause := min(firstPause<<min(p.refusals, 10), lastPause)
	p.refusals++
	p.pause, p.refused = time.Now().Add(pause), "the app did not accept that it leads: "+why.Error()
	p.mu.Unlock()
	select {
	case p.forgive <- struct{}{}:
	default:
	}
	p.cfg.Log.Warn("the app is not asked to lead for a while", "while", pause.String())
	p.tellFit()
}

// took forgets what the app refused before.
func (p *Post) took() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusals = 0
}

// forgives makes the candidate fit again when a pause is over.
func (p *Post) forgives(ctx context.Context) {
	for {
		select {
		case <-p.forgive:
		case <-ctx.Done():
			return
		}
		p.mu.Lock()
		left := time.Until(p.pause)
		p.mu.Unlock()
		pause(ctx, left)
		p.tellFit()
	}
}

// unfit is why the app does not let this candidate lead; empty: it does. The
// mutex is held.
func (p *Post) unfit() string {
	switch {
	case p.owed != nil && p.fault != nil:
		return unheard + ": " + p.fault.Error()
	case p.owed != nil:
		return unheard
	case time.Now().Before(p.pause):
		return p.refused
	}
	return ""
}

// tellFit tells what is new of that.
func (p *Post) tellFit() {
	if p.cfg.Fit == nil {
		return
	}
	p.telling.Lock()
	defer p.telling.Unlock()
	p.mu.Lock()
	why := p.unfit()
	p.mu.Unlock()
	if fit := why == ""; fit != p.fit {
		p.fit = fit
		p.cfg.Fit(fit, why)
	}
}

// Posting is what /status shows of the telling.
type Posting struct {
	Event     string `json:"event"`     // of the newest news that was begun; empty: none
	Sequence  uint64 `json:"sequence"`  // of that news
	LastError string `json:"lastError"` // of its last attempt; empty: it was accepted, or is under way
	Waiting   int    `json:"waiting"`   // news that were not begun
	Missed    int    `json:"missed"`    // news that were dropped since the last that was accepted
	Unfit     string `json:"-"`         // why the app does not let this candidate lead
}

// Posting is how the telling stands.
func (p *Post) Posting() Posting {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := Posting{Waiting: len(p.queue), Missed: p.missed, Unfit: p.unfit()}
	if n := p.last; n != nil {
		v.Event, v.Sequence = n.event, n.seq
	}
	if p.fault != nil {
		v.LastError = p.fault.Error()
	}
	return v
}
