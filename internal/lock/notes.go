package lock

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
)

// The annotations on a lock.
const (
	recordNote     = "leader-elector.io/record"
	acceptanceNote = "leader-elector.io/acceptance"
	switchoverNote = "leader-elector.io/switchover-to"
	pausedNote     = "leader-elector.io/paused"
)

// version of what we write. Another one is not ours to read.
const noteVersion = 1

type sealNote struct {
	V           int        `json:"v"`
	Lock        string     `json:"lock,omitempty"`
	Holder      string     `json:"holder"`
	TTL         int        `json:"ttl"`
	Acquired    string     `json:"acquired"`
	Renewed     string     `json:"renewed"`
	Transitions int        `json:"transitions"`
	Pod         string     `json:"pod,omitempty"`
	Start       string     `json:"start"`
	Nonce       string     `json:"nonce"`
	Term        string     `json:"term"`
	Offer       *offerNote `json:"offer,omitempty"`
	Released    string     `json:"released,omitempty"`
	To          string     `json:"to,omitempty"`
	Create      string     `json:"create,omitempty"`
}

type offerNote struct {
	Nonce string `json:"nonce"`
	To    string `json:"to,omitempty"`
}

type tombstoneNote struct {
	V      int    `json:"v"`
	Create string `json:"create"`
}

type acceptanceNoteJSON struct {
	V     int    `json:"v"`
	By    string `json:"by"`
	Start string `json:"start"`
	Offer string `json:"offer"`
}

// readNotes reads our annotations. One that cannot be read is as good as none:
// then nothing is sealed, and patience is long.
func (d document) readNotes(rec *engine.Record) {
	var s sealNote
	if json.Unmarshal([]byte(d.notes[recordNote]), &s) == nil && s.V == noteVersion {
		if s.Create != "" {
			rec.Tombstone = s.Create
		} else {
			rec.Seal = s.seal()
		}
	}
	var a acceptanceNoteJSON
	if json.Unmarshal([]byte(d.notes[acceptanceNote]), &a) == nil && a.V == noteVersion {
		rec.Acceptance = &engine.Acceptance{By: a.By, Start: a.Start, Offer: a.Offer}
	}
	if value, ok := d.notes[switchoverNote]; ok {
		rec.Request = parseRequest(value)
	}
	paused := d.notes[pausedNote]
	rec.Paused = paused != "" && paused != "false"
}

// parseRequest reads HOLDER/CANDIDATE. A value without a slash addresses nobody
// and is kept as it is, to be reported.
func parseRequest(value string) *engine.Request {
	from, to, ok := strings.Cut(value, "/")
	if !ok {
		return &engine.Request{To: value}
	}
	return &engine.Request{From: from, To: to}
}

// seal is nil if the note does not say a whole seal.
func (s *sealNote) seal() *engine.Seal {
	acquired, err1 := parseTime(s.Acquired)
	renewed, err2 := parseTime(s.Renewed)
	term, err3 := strconv.ParseUint(s.Term, 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || s.Start == "" || s.Nonce == "" || s.Lock == "" {
		return nil
	}
	// A forged ttl neither shortens a patience to nothing nor makes it endless.
	if s.TTL < 1 || s.TTL > maxDuration {
		return nil
	}
	seal := &engine.Seal{
		Lock: s.Lock, Holder: s.Holder, Duration: time.Duration(s.TTL) * time.Second,
		Acquired: acquired, Renewed: renewed, Transitions: s.Transitions,
		PodUID: s.Pod, Start: s.Start, Nonce: s.Nonce, Term: engine.Term(term),
		Released: s.Released != "" && s.Released == s.Term, To: s.To,
	}
	if s.Offer != nil {
		seal.Offer = &engine.Offer{Nonce: s.Offer.Nonce, To: s.Offer.To}
	}
	return seal
}

func (d document) setSeal(s *engine.Seal) error {
	if s == nil {
		delete(d.notes, recordNote)
		return nil
	}
	note := sealNote{
		V: noteVersion, Lock: s.Lock, Holder: s.Holder, TTL: int(s.Duration / time.Second),
		Acquired: formatTime(s.Acquired), Renewed: formatTime(s.Renewed), Transitions: s.Transitions,
		Pod: s.PodUID, Start: s.Start, Nonce: s.Nonce, Term: s.Term.String(),
	}
	if s.Offer != nil {
		note.Offer = &offerNote{Nonce: s.Offer.Nonce, To: s.Offer.To}
	}
	if s.Released {
		note.Released, note.To = note.Term, s.To
	}
	return d.setNote(recordNote, note)
}

func (d document) setTombstone(nonce string) error {
	return d.setNote(recordNote, tombstoneNote{V: noteVersion, Create: nonce})
}

func (d document) setAcceptance(a *engine.Acceptance) error {
	if a == nil {
		delete(d.notes, acceptanceNote)
		return nil
	}
	return d.setNote(acceptanceNote, acceptanceNoteJSON{V: noteVersion, By: a.By, Start: a.Start, Offer: a.Offer})
}

func (d document) setRequest(r *engine.Request) error {
	if r == nil {
		delete(d.notes, switchoverNote)
	} else if r.From != "" {
		d.notes[switchoverNote] = r.From + "/" + r.To
	}
	return nil
}

func (d document) setNote(name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	d.notes[name] = string(data)
	return nil
}

// parseTime reads RFC 3339 to the last digit: an edit of a fraction of a second
// breaks a seal too. An empty or missing time is the zero time.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, s)
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
