package main

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/leader-elector/leader-elector/kubectl-leader/record"
)

// apiVersion is of the shapes that -o json and -o yaml print. Fields are added
// within a version; none is renamed or removed.
const apiVersion = "cli.leader-elector.io/v1"

// What the status of an election can be.
const (
	statusLed        = "Led"        // somebody holds the lock, and renewed it in time
	statusExpired    = "Expired"    // its holder has not renewed for the length of the lease
	statusFree       = "Free"       // its last leader released it
	statusVacant     = "Vacant"     // nobody holds it, and nobody released it: candidates wait for a leader they may not know
	statusUnreadable = "Unreadable" // what the lock says cannot be read
	statusMissing    = "Missing"    // there are candidates, and no lock yet
	statusDeleted    = "Deleted"    // while it was watched
)

// election is one lock object, as it is shown.
type election struct {
	APIVersion string `json:"apiVersion,omitempty"` // of the outermost object only
	Kind       string `json:"kind,omitempty"`

	Namespace       string     `json:"namespace"`
	Name            string     `json:"name"`
	Status          string     `json:"status"`
	Leader          string     `json:"leader"`      // empty: nobody
	Foreign         bool       `json:"foreign"`     // the leader is not leader-elector
	Since           *time.Time `json:"since"`       // by the leader's clock; null: unknown
	Term            *string    `json:"term"`        // decimal; null: nobody leads, or a leader without terms
	Transitions     int        `json:"transitions"` // as the lock counts them
	Lock            string     `json:"lock"`        // leases or endpoints
	TTLSeconds      int        `json:"ttlSeconds"`
	Renewed         *time.Time `json:"renewed"`
	Expires         *time.Time `json:"expires"` // unless it is renewed; null: nobody leads
	Paused          bool       `json:"paused"`
	PausedReason    string     `json:"pausedReason,omitempty"`
	Switchover      *request   `json:"switchover,omitempty"` // an operator's request that no leader has taken up yet
	Offer           *offer     `json:"offer,omitempty"`      // a hand-over under way
	Problem         string     `json:"problem,omitempty"`    // why the lock cannot be read
	UID             string     `json:"uid"`
	ResourceVersion string     `json:"resourceVersion"`
}

type request struct {
	From string `json:"from"` // the leader that it addresses; empty: nobody, so nobody heeds it
	To   string `json:"to"`   // empty: any candidate
}

type offer struct {
	To         string `json:"to"`                   // empty: any candidate
	AcceptedBy string `json:"acceptedBy,omitempty"` // who will follow
}

// electionList is what list prints.
type electionList struct {
	APIVersion string     `json:"apiVersion"`
	Kind       string     `json:"kind"` // ElectionList
	Items      []election `json:"items"`
}

// newElection says what a record means at an instant of the API server's clock.
func newElection(r *record.Record, now time.Time) election {
	e := election{
		Namespace: r.Namespace, Name: r.Name, Lock: string(r.Kind), UID: r.UID, ResourceVersion: fmt.Sprint(r.Version),
		Leader: r.Leader(), Foreign: r.Leader() != "" && r.Foreign(), Transitions: r.Transitions,
		TTLSeconds: int(r.Duration / time.Second), Paused: r.Paused, Problem: r.Malformed,
		Expires: known(r.Expires()), Renewed: known(r.Renewed), Status: status(r, now),
	}
	if e.Leader != "" {
		e.Since = known(r.Acquired)
	}
	if term := r.Term(); term != "" {
		e.Term = &term
	}
	if r.PausedBy != "true" {
		e.PausedReason = r.PausedBy
	}
	if r.Request != nil {
		e.Switchover = &request{From: r.Request.From, To: r.Request.To}
	}
	if r.Intact() && r.Seal.Offer != nil {
		e.Offer = &offer{To: r.Seal.Offer.To}
		if a := r.Acceptance; a != nil && a.Offer == r.Seal.Offer.Nonce {
			e.Offer.AcceptedBy = a.By
		}
	}
	return e
}

func status(r *record.Record, now time.Time) string {
	switch {
	case r.Version == 0:
		return statusMissing
	case r.Malformed != "":
		return statusUnreadable
	case r.Released():
		return statusFree
	case r.Leader() == "":
		return statusVacant
	case !r.Expires().IsZero() && now.After(r.Expires()):
		return statusExpired
	}
	return statusLed
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// columns of the table. Those of priority 1 come with -o wide.
var columns = []metav1.TableColumnDefinition{
	{Name: "Namespace", Type: "string"},
	{Name: "Name", Type: "string", Format: "name"},
	{Name: "Status", Type: "string"},
	{Name: "Leader", Type: "string"},
	{Name: "Since", Type: "string"},
	{Name: "Term", Type: "string"},
	{Name: "Transitions", Type: "integer"},
	{Name: "Lock", Type: "string"},
	{Name: "Expires", Type: "string"},
	{Name: "TTL", Type: "string", Priority: 1},
	{Name: "Elector", Type: "string", Priority: 1},
	{Name: "Note", Type: "string", Priority: 1},
}

// cells is the election's row, in the order of the columns.
func (e *election) cells(now time.Time) []any {
	status := e.Status
	if e.Paused {
		status += ",Paused"
	}
	term := "-"
	if e.Term != nil {
		term = *e.Term
	}
	of := "leader-elector"
	if e.Foreign {
		of = "foreign"
	}
	return []any{
		e.Namespace, e.Name, status, orDash(e.Leader), ago(e.Since, now), term, int64(e.Transitions), e.Lock, e.left(now),
		(time.Duration(e.TTLSeconds) * time.Second).String(), of, orDash(e.note()),
	}
}

// left says how long the lease is still good for, or for how long it has not
// been.
func (e *election) left(now time.Time) string {
	switch {
	case e.Expires == nil:
		return "-"
	case now.After(*e.Expires):
		return duration.HumanDuration(now.Sub(*e.Expires)) + " ago"
	}
	return duration.HumanDuration(e.Expires.Sub(now))
}

// lapse is left in words.
func (e *election) lapse(now time.Time) string {
	switch left := e.left(now); {
	case e.Expires == nil:
		return "held by nobody"
	case now.After(*e.Expires):
		return "expired " + left
	default:
		return "expires in " + left
	}
}

// note is what an operator should know besides.
func (e *election) note() string {
	switch {
	case e.Problem != "":
		return e.Problem
	case e.Switchover != nil && e.Switchover.From == "":
		return fmt.Sprintf("the switchover request %q addresses nobody", e.Switchover.To)
	case e.Switchover != nil:
		return "asked to hand over to " + anybody(e.Switchover.To)
	case e.Offer != nil && e.Offer.AcceptedBy != "":
		return "handing over to " + e.Offer.AcceptedBy
	case e.Offer != nil:
		return "offered to " + anybody(e.Offer.To)
	}
	return e.PausedReason
}

func anybody(name string) string {
	if name == "" {
		return "anybody"
	}
	return name
}

func ago(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	return duration.HumanDuration(max(0, now.Sub(*t)))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
