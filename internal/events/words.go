package events

import (
	"fmt"
	"time"

	elector "github.com/leader-elector/leader-elector"
)

const (
	normal  = "Normal"
	warning = "Warning"
)

// The reasons. Those of problems are made of their concern: LockMissing,
// EtcdRestored, TwinId, StopUnconfirmed and so on.
const (
	becameLeader  = "BecameLeader"
	gaveUpLead    = "GaveUpLead"
	lostLead      = "LostLead"
	handedOver    = "HandedOver"
	notHandedOver = "NotHandedOver"
	forbidden     = "Forbidden"
	cannotRoute   = "CannotRoute"
	routesAgain   = "RoutesAgain"
)

// Hear records a change, if it is this candidate's to tell: what others do, they
// tell. An outage is none, as nobody could be told of it; metrics tell.
func (r *Recorder) Hear(n elector.Notice) {
	id := r.cfg.ID
	switch n.Kind {
	case elector.NoticeLeading:
		r.record(normal, becameLeader, id+" leads, "+took(n), n.At)
	case elector.NoticeEnded:
		kind, reason := normal, gaveUpLead
		switch n.Reason {
		case elector.ReasonLost, elector.ReasonExpired, elector.ReasonRestored:
			kind, reason = warning, lostLead
		case elector.ReasonUnfit:
			kind = warning
		}
		r.record(kind, reason, fmt.Sprintf("%s led for %s, term %s, and does not any more (%s): %s", id, short(n.Led), n.Term, n.Reason, n.Text), n.At)
	case elector.NoticeHandedOver:
		r.record(normal, handedOver, fmt.Sprintf("%s released the lock for %s, who had accepted to take over", id, n.Leader), n.At)
	case elector.NoticeNotHandedOver:
		r.record(warning, notHandedOver, fmt.Sprintf("%s was asked to hand over and did not: %s", id, n.Text), n.At)
	case elector.NoticeProblem:
		r.record(warning, camel(n.Concern), id+": "+n.Text, n.At)
	case elector.NoticeTrouble:
		if n.Forbidden {
			r.record(warning, forbidden, id+": "+n.Text, n.At)
		}
	}
}

// took says from whom a lead was taken over, after how long.
func took(n elector.Notice) string {
	text := "term " + n.Term.String()
	if n.Previous == "" {
		return text + "; it saw nobody lead before"
	}
	text += fmt.Sprintf("; %s had led for %s, nobody for %s", n.Previous, short(n.Led), short(n.Vacant))
	if n.Text != "" {
		text += " (" + n.Text + ")"
	}
	return text
}

// Routing records what keeps the traffic from following the lead, or with no
// words that nothing does any more.
func (r *Recorder) Routing(fault string) {
	if fault != "" {
		r.record(warning, cannotRoute, r.cfg.ID+" cannot route: "+fault, time.Now())
	} else {
		r.record(normal, routesAgain, "nothing keeps the traffic of "+r.cfg.ID+" from following any more", time.Now())
	}
}

// short is a duration as people read it.
func short(d time.Duration) string {
	if d >= time.Minute {
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}
