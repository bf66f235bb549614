package sim

import (
	"fmt"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// boot starts the pod's process, anew after a crash.
func (p *rollPod) boot() {
	r := p.r
	r.born++
	p.life++
	p.alive, p.acting, p.frozen, p.since = true, 0, 0, r.now
	r.log("%s starts", p.name)
	if p.form == oldForm {
		p.leads, p.seen, p.seenAt = false, engine.Record{}, r.now
		life := p.life
		r.after(r.below(time.Second), func() { p.turn(life) })
		return
	}
	cfg := engine.Config{ID: p.name, PodUID: "pod-" + p.name, Start: fmt.Sprintf("%s.%d", p.name, r.born), TTL: r.ttl, StopTimeout: time.Second}
	if p.form == bothForm {
		p.machine = engine.NewPair(cfg, cfg)
	} else {
		p.machine = engine.New(cfg)
	}
	p.step(engine.Tick{})
	for n := range r.locks {
		o := engine.Observation{Deleted: true}
		if l := r.locks[n].lock; l != nil {
			o = engine.Observation{Record: *l}
		}
		p.hear(n, o)
	}
}

// of marks an event as that of the lock n; what does not use that lock hears
// nothing of it.
func (p *rollPod) of(n int, ev engine.Event) engine.Event {
	switch {
	case p.form == bothForm && n == 1:
		return engine.OfSecond{Event: ev}
	case p.form == bothForm || p.form == leasesForm && n == 1:
		return ev
	}
	return nil
}

func (p *rollPod) hear(n int, o engine.Observation) {
	ev := p.of(n, o)
	if ev == nil || !p.alive {
		return
	}
	p.told[n] = max(p.told[n], p.r.now+p.r.delay())
	machine := p.machine
	p.r.at(p.told[n], func() { p.deliverTo(machine, ev) })
}

func (p *rollPod) deliver(ev engine.Event) { p.deliverTo(p.machine, ev) }

// deliverTo hands an event to the process, unless it has been started anew.
func (p *rollPod) deliverTo(machine any, ev engine.Event) {
	if !p.alive || machine != any(p.machine) {
		return
	}
	if p.r.now < p.frozen {
		p.missed = append(p.missed, func() { p.deliverTo(machine, ev) })
		return
	}
	p.step(ev)
}

// freeze stops the process for a while; what it is told meanwhile comes in its
// order when it wakes.
func (p *rollPod) freeze(d time.Duration) {
	p.frozen = max(p.frozen, p.r.now+d)
	p.r.at(p.frozen, func() {
		if p.r.now < p.frozen {
			return // it was frozen anew
		}
		missed := p.missed
		p.missed = nil
		for _, deliver := range missed {
			deliver()
		}
	})
}

func (p *rollPod) clock() engine.Now {
	boot := p.offset + time.Duration(float64(p.r.now)*p.rate)
	return engine.Now{Boot: boot, Wall: time.Unix(1_800_000_000, 0).UTC().Add(boot - p.offset), Jitter: p.r.rng.Float64()}
}

func (p *rollPod) acts() bool {
	if p.form == oldForm {
		// 0.5 acts until its renewals have failed for two thirds of its lease.
		return p.alive && p.leads && p.r.now < p.renewed+p.r.ttl*2/3
	}
	if !p.alive || p.machine == nil {
		return false
	}
	_, _, ok := p.machine.Leads(p.clock())
	return ok
}

func (p *rollPod) step(ev engine.Event) {
	now := p.clock()
	defer p.checkTold()
	for _, action := range p.machine.Step(now, ev) {
		n := 1
		if p.form == bothForm {
			n = 0
		}
		if on, ok := action.(engine.OnSecond); ok {
			n, action = 1, on.Action
		}
		p.do(now, n, action)
	}
}

// checkTold says whether the app was told when its lead was over: losing either
// lock ends both.
func (p *rollPod) checkTold() {
	if p.alive && p.acting != 0 && !p.stopped && !p.acts() {
		p.r.violate("%s leads no more, and its app was not told", p.name)
	}
}

func (p *rollPod) do(now engine.Now, n int, action engine.Action) {
	r := p.r
	switch a := action.(type) {
	case engine.Read:
		p.send(n, a.Op, a.Timeout, r.locks[n].read)
	case engine.Create:
		p.send(n, a.Op, a.Timeout, func() engine.Answer { return r.locks[n].create(a.Put) })
	case engine.Swap:
		if a.Kind == engine.Hold && a.Put.Seal.Released && p.acting != 0 {
			r.violate("%s releases lock %d while its app acts", p.name, n)
		}
		if l := r.locks[1].lock; n == 0 && a.Put.Seal.Released && p.form == bothForm && l != nil && l.Holder == p.name && r.rough == 0 {
			r.violate("%s releases the Endpoints before the Lease", p.name)
		}
		p.send(n, a.Op, a.Timeout, func() engine.Answer { return r.locks[n].swap(a) })
	case engine.Lead:
		if a.Begin {
			r.log("%s LEADS term %s", p.name, a.Term)
			r.result.Leads++
			r.result.ByForm[p.form]++
			if p.acting != 0 {
				r.violate("%s leads with term %s while its app acts for term %s", p.name, a.Term, p.acting)
			}
			p.acting, p.stopped = a.Term, false
		}
	case engine.StopLeading:
		r.log("%s stops leading: %s", p.name, a.Detail)
		p.stopped = true
		machine := p.machine
		r.after(r.below(300*time.Millisecond)+1, func() {
			if machine == p.machine {
				p.acting = 0
				p.deliverTo(machine, engine.Stopped{Term: a.Term, Confirmed: true})
			}
		})
	case engine.WakeAt:
		if a.At <= now.Boot {
			r.violate("%s wants to be woken at %v, which is not later than %v", p.name, a.At, now.Boot)
		}
		p.wakeAt = a.At
		machine := p.machine
		r.at(time.Duration(float64(a.At-p.offset)/p.rate)+1, func() {
			if p.wakeAt == a.At {
				p.deliverTo(machine, engine.Tick{})
			}
		})
	case engine.Finished:
		r.log("%s is finished", p.name)
		p.alive = false
	}
}

// send carries a request to the server and its answer back, or not.
func (p *rollPod) send(n int, op engine.Op, timeout time.Duration, call func() engine.Answer) {
	r, machine := p.r, p.machine
	answered := false
	answer := func(a engine.Answer) {
		if !answered {
			answered = true
			a.Op = op
			p.deliverTo(machine, p.of(n, a))
		}
	}
	r.after(timeout, func() { answer(engine.Answer{Err: "no answer in time"}) })
	if r.chance(r.rough) {
		return
	}
	arrives := max(r.now, r.away) + r.delay()
	r.at(arrives, func() {
		a := call()
		if !r.chance(r.rough) {
			r.after(r.delay(), func() { answer(a) })
		}
	})
}

// turn is one round of 0.5's loop: every quarter of its lease, on the Endpoints.
func (p *rollPod) turn(life int) {
	r := p.r
	if !p.alive || p.life != life && p.life >= 0 {
		return
	}
	r.after(r.ttl/4, func() { p.turn(life) })
	s := &r.locks[0]
	if r.now < r.away {
		return
	}
	if s.lock == nil {
		s.create(engine.Record{})
	}
	l := s.lock
	if l.Holder != p.seen.Holder || !l.Renewed.Equal(p.seen.Renewed) || l.Transitions != p.seen.Transitions {
		p.seen, p.seenAt = *l, r.now
	}
	if l.Holder != p.name && l.Duration != 0 && r.now < p.seenAt+r.ttl {
		p.leads = false
		return
	}
	s.edit(func(rec *engine.Record) {
		if rec.Holder == p.name {
			rec.Transitions = 0 // as 0.5 does at each renewal
		} else {
			rec.Transitions++
			rec.Acquired = stamp(r.now)
		}
		rec.Holder, rec.Duration, rec.Renewed = p.name, r.ttl, stamp(r.now)
	})
	if !p.leads {
		r.log("%s LEADS", p.name)
		r.result.Leads++
		r.result.ByForm[oldForm]++
	}
	p.seen, p.seenAt = *s.lock, r.now
	p.leads, p.renewed = true, r.now
}
