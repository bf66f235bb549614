package engine_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// record reads what the lock says:
//
//	v40 as put                     the last write of this candidate
//	v40 as before, WORDS…          the last record, changed: paused, resumed,
//	                               labelled, edited, emptied, accepted by X, asks A/B
//	v40 a holds, term 7, WORDS…    sealed by one of ours: ttl 9s, pod P, start S,
//	                               write N, offers to X
//	v40 a released, term 7, to X   our own release
//	v40 x is foreign, ttl 20s      no seal of ours
//	v40 nobody, ttl 1s             an empty record without a seal
//	v40 tombstone N, ttl 15s       a placeholder
func (d *dialogue) record(text string) (engine.Record, error) {
	head, rest, _ := strings.Cut(text, " ")
	version, err := parseVersion(head)
	if err != nil {
		return engine.Record{}, err
	}
	words := strings.Split(rest, ", ")
	var rec engine.Record
	switch {
	case words[0] == "as put":
		rec = d.put
		if d.accept {
			rec = d.last
			rec.Acceptance = d.put.Acceptance
		}
		rec.Paused = d.last.Paused
	case words[0] == "as before":
		rec = d.last
	default:
		rec, err = spoken(words[0], version)
	}
	if err != nil {
		return rec, err
	}
	rec.UID, rec.Version = "u1", version
	for _, w := range words[1:] {
		if err := change(&rec, w); err != nil {
			return rec, err
		}
	}
	d.last = rec
	return rec, nil
}

// spoken makes a record of its first words.
func spoken(what string, version engine.Version) (engine.Record, error) {
	rec := engine.Record{Duration: 15 * time.Second, Acquired: noon, Renewed: noon.Add(time.Duration(version) * time.Second)}
	words := strings.Fields(what)
	switch {
	case what == "nobody":
	case words[0] == "tombstone":
		rec.Holder, rec.Tombstone = engine.Vacant, words[1]
	case strings.HasSuffix(what, "is foreign"):
		rec.Holder = words[0]
	case strings.HasSuffix(what, "holds"), strings.HasSuffix(what, "released"):
		rec.Seal = &engine.Seal{Start: "s" + words[0], Nonce: fmt.Sprintf("s%s-%s", words[0], version)}
		if words[1] == "holds" {
			rec.Holder = words[0]
		}
		rec.Seal.Released = words[1] == "released"
		reseal(&rec)
	default:
		return rec, fmt.Errorf("unknown record %q", what)
	}
	return rec, nil
}

func reseal(r *engine.Record) {
	s := r.Seal
	s.Lock, s.Holder, s.Duration, s.Acquired, s.Renewed, s.Transitions = "u1", r.Holder, r.Duration, r.Acquired, r.Renewed, r.Transitions
}

// change applies one word; those of the holder keep the seal intact, those of
// strangers break it.
func change(r *engine.Record, word string) error {
	verb, value, _ := strings.Cut(word, " ")
	seal := engine.Seal{}
	if r.Seal != nil {
		seal = *r.Seal
	}
	holder := r.Seal != nil
	switch verb {
	case "paused", "resumed":
		r.Paused = verb == "paused"
		return nil
	case "labelled":
		return nil
	case "edited":
		r.Renewed = r.Renewed.Add(time.Second)
		return nil
	case "emptied":
		r.Holder, r.Duration = "", time.Second
		return nil
	case "taken":
		r.Holder = value
		return nil
	case "accepted":
		id := strings.TrimPrefix(value, "by ")
		r.Acceptance = &engine.Acceptance{By: id, Start: "s" + id, Offer: seal.Offer.Nonce}
		return nil
	case "asks":
		from, to, _ := strings.Cut(value, "/")
		r.Request = &engine.Request{From: from, To: to}
		return nil
	case "malformed":
		*r = engine.Record{UID: r.UID, Version: r.Version, Malformed: "broken"}
		return nil
	case "ttl":
		ttl, err := time.ParseDuration(value)
		if err != nil {
			return err
		}
		r.Duration = ttl
	case "term":
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil {
			return err
		}
		seal.Term = engine.Term(n)
	case "pod":
		seal.PodUID = value
	case "start":
		seal.Start = value
	case "write":
		seal.Nonce = value
	case "to":
		seal.To = value
	case "offers":
		seal.Offer = &engine.Offer{Nonce: "offer-" + r.Version.String(), To: strings.TrimPrefix(value, "to ")}
	default:
		return fmt.Errorf("unknown word %q", word)
	}
	if holder {
		r.Seal = &seal
		reseal(r)
	}
	return nil
}

// answer writes one action as a line.
func (d *dialogue) answer(action engine.Action) {
	say := func(format string, args ...any) { fmt.Fprintf(&d.out, "        "+format+"\n", args...) }
	switch a := action.(type) {
	case engine.Read:
		say("read (%d), within %v", a.Op, a.Timeout)
	case engine.Create:
		d.put, d.accept = a.Put, false
		say("create (%d) a tombstone %s, ttl %v", a.Op, a.Put.Tombstone, a.Put.Duration)
	case engine.Swap:
		d.put, d.accept = a.Put, a.Kind == engine.Accept
		say("swap (%d) on v%s: %s", a.Op, a.On.Version, written(&a))
	case engine.Lead:
		verb := "lead on"
		if a.Begin {
			verb = "LEAD"
		}
		say("%s, term %s, until %v", verb, a.Term, a.Trust.Until()-time.Hour)
	case engine.StopLeading:
		say("STOP leading term %s: %s", a.Term, a.Detail)
	case engine.Announce:
		say("the leader is %q", a.Leader)
	case engine.HandedOver:
		if a.Refusal != "" {
			say("not handed over (%d): %s", a.ID, a.Refusal)
		} else {
			say("handed over (%d) to %s", a.ID, a.To)
		}
	case engine.WakeAt:
		say("wake at %v", a.At-time.Hour)
	case engine.Rewatch:
		say("watch anew")
	case engine.Report:
		say("report: %s", a.Detail)
	case engine.Finished:
		say("finished")
	}
}

// written says what a swap writes.
func written(a *engine.Swap) string {
	p := &a.Put
	if a.Kind == engine.Accept {
		return fmt.Sprintf("%s accepts %s", p.Acceptance.By, p.Acceptance.Offer)
	}
	s := p.Seal
	text := fmt.Sprintf("%s holds, term %s, write %s", p.Holder, s.Term, s.Nonce)
	if s.Released {
		text = fmt.Sprintf("released, term %s", s.Term)
		if s.To != "" {
			text += ", to " + s.To
		}
	}
	if s.Offer != nil {
		text += ", offers to " + orAnybody(s.Offer.To)
	}
	if p.Request != nil {
		text += ", still asks " + p.Request.From + "/" + p.Request.To
	}
	return text
}

func orAnybody(id string) string {
	if id == "" {
		return "anybody"
	}
	return id
}
