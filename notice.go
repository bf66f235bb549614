package elector

import (
	"context"
	"log/slog"
	"time"
)

// Notice is one change of an election as one candidate saw it: what is worth a
// line in its log, or an event in the cluster. A renewal is none.
type Notice struct {
	Kind NoticeKind
	At   time.Time

	// Leader is who leads now. Empty: nobody, or nobody known.
	Leader string
	// Term is that of the lead which began, ended or goes on. Zero: none, or of a
	// leader that has no terms.
	Term Term
	// Previous is who led before, the candidate itself perhaps, and Led how long,
	// as this candidate saw it; what was before its start it takes from the lock.
	// Empty: it saw nobody lead.
	Previous string
	Led      time.Duration
	// Vacant is how long nobody led before Leader did. Zero too where the change
	// came in one piece of news, or where this candidate saw nobody lead before.
	Vacant time.Duration
	// Reason is why this candidate's lead ended.
	Reason Reason
	// Concern says what a trouble or a problem is about, in a word or two.
	Concern string
	// Forbidden says of a trouble that a right is missing.
	Forbidden bool
	// Text says why, for people: why the lead ended, with NoticeLeading and
	// NoticeLeader the previous one.
	Text string
}

// NoticeKind says what a Notice tells.
type NoticeKind string

// What a Notice tells.
const (
	NoticeLeading       NoticeKind = "leading"         // this candidate leads from now on
	NoticeEnded         NoticeKind = "ended"           // its lead is over; Reason and Text say why
	NoticeLeader        NoticeKind = "leader"          // another candidate leads
	NoticeVacant        NoticeKind = "vacant"          // another candidate's lead is over, and nobody's began yet
	NoticeHandedOver    NoticeKind = "handed over"     // the lock was released for Leader, who had accepted
	NoticeNotHandedOver NoticeKind = "not handed over" // a hand-over was asked for and did not come about
	NoticeProblem       NoticeKind = "problem"         // people may have to mend something
	NoticeTrouble       NoticeKind = "trouble"         // something is wrong, and lasts
	NoticeRight         NoticeKind = "right"           // it is right again
)

// past is what a candidate remembers of who has led. Instants are of the boot
// clock.
type past struct {
	leader string        // who leads now; empty: nobody
	since  time.Duration // that the present leader leads, as far as is known
	last   string        // who led before nobody did
	led    time.Duration // how long
	why    string        // why nobody does
	vacant time.Duration // since when nobody has led; zero: somebody does, or nobody was ever seen
}

// begins takes a new leader, who may have led since before this candidate knew.
func (p *past) begins(leader string, now, since time.Duration) (n Notice) {
	if p.leader != "" {
		p.ends(now, "")
		p.vacant = 0 // in one piece of news
	}
	n.Leader, n.Previous, n.Led, n.Text = leader, p.last, p.led, p.why
	switch {
	case p.vacant != 0:
		n.Vacant, since = now-p.vacant, now
	case p.last != "":
		since = now
	}
	p.leader, p.since, p.vacant = leader, since, 0
	return n
}

// ends takes the end of the present lead.
func (p *past) ends(now time.Duration, why string) (n Notice) {
	p.last, p.led, p.why = p.leader, max(0, now-p.since), why
	p.leader, p.vacant = "", now
	return Notice{Previous: p.last, Led: p.led, Text: why}
}

// leads tells that this candidate leads.
func (e *Elector) leads(term Term) {
	e.noticing.Lock()
	defer e.noticing.Unlock()
	now := e.look().Boot
	n := e.past.begins(e.cfg.ID, now, now)
	n.Kind, n.Term = NoticeLeading, term
	e.tellNotice(n)
}

// led tells that this candidate's lead is over.
func (e *Elector) led(term Term, why Reason, detail string) {
	e.noticing.Lock()
	defer e.noticing.Unlock()
	n := e.past.ends(e.look().Boot, detail)
	n.Kind, n.Term, n.Reason = NoticeEnded, term, why
	e.tellNotice(n)
}

// announces tells who leads, where that is not this candidate: whose leads and
// their ends were told when they came about.
func (e *Elector) announces(leader string) {
	now := e.look()
	e.mu.Lock()
	v := e.machine.View(now)
	e.mu.Unlock()
	e.noticing.Lock()
	defer e.noticing.Unlock()
	switch {
	case leader == e.cfg.ID || leader == e.past.leader:
	case leader == "":
		n := e.past.ends(now.Boot, v.Vacant)
		n.Kind = NoticeVacant
		e.tellNotice(n)
	default:
		since := now.Boot
		if !v.Since.IsZero() {
			since -= max(0, now.Wall.Sub(v.Since))
		}
		n := e.past.begins(leader, now.Boot, since)
		n.Kind, n.Term = NoticeLeader, Term(v.Term)
		e.tellNotice(n)
	}
}

// notice tells anything else.
func (e *Elector) notice(n Notice) {
	e.noticing.Lock()
	defer e.noticing.Unlock()
	e.tellNotice(n)
}

// tellNotice writes the line of the log, and tells whoever asked for notices.
func (e *Elector) tellNotice(n Notice) {
	n.At = time.Now()
	level, text, attrs := n.line()
	e.log.LogAttrs(context.Background(), level, text, attrs...)
	if e.cfg.Notices != nil {
		e.cfg.Notices(n)
	}
}

// line is a notice as the log tells it.
func (n *Notice) line() (level slog.Level, text string, attrs []slog.Attr) {
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	term := ""
	if n.Term != 0 {
		term = n.Term.String()
	}
	before := func() {
		if n.Previous != "" {
			add("previous", n.Previous)
			add("previous_led", short(n.Led))
			add("nobody_led", short(n.Vacant))
			add("reason", n.Text)
		}
	}
	switch n.Kind {
	case NoticeLeading:
		add("term", term)
		before()
		return slog.LevelInfo, "leading", attrs
	case NoticeEnded:
		add("term", term)
		add("led", short(n.Led))
		add("reason", string(n.Reason))
		add("detail", n.Text)
		return slog.LevelInfo, "no longer leading", attrs
	case NoticeLeader:
		add("leader", n.Leader)
		add("term", term)
		before()
		return slog.LevelInfo, "another candidate leads", attrs
	case NoticeVacant:
		add("previous", n.Previous)
		add("previous_led", short(n.Led))
		add("reason", n.Text)
		return slog.LevelInfo, "nobody leads", attrs
	case NoticeHandedOver:
		add("to", n.Leader)
		return slog.LevelInfo, "the lead was handed over", attrs
	case NoticeNotHandedOver:
		add("reason", n.Text)
		return slog.LevelWarn, "the lead was not handed over", attrs
	case NoticeProblem:
		add("problem", n.Concern)
		return slog.LevelWarn, n.Text, attrs
	case NoticeTrouble:
		add("concern", n.Concern)
		add("error", n.Text)
		return slog.LevelWarn, "something is wrong", attrs
	}
	add("concern", n.Concern)
	return slog.LevelInfo, "right again", attrs
}

// short is a duration as people read it: milliseconds matter only below a minute.
func short(d time.Duration) string {
	if d >= time.Minute {
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}
