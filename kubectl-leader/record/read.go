package record

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The annotations of a lock.
const (
	recordNote     = "leader-elector.io/record"
	acceptanceNote = "leader-elector.io/acceptance"
	SwitchoverNote = "leader-elector.io/switchover-to"          // HOLDER/CANDIDATE, or HOLDER/ for any
	PausedNote     = "leader-elector.io/paused"                 // any value but the empty one and "false"
	oldLeaderNote  = "control-plane.alpha.kubernetes.io/leader" // where leader-elector:0.5 keeps its record
)

// noteVersion is the version of the notes that can be read here. Another one is
// not ours to read.
const noteVersion = 1

// maxSeconds bounds what a broken record can claim of a duration or a count.
const maxSeconds = 1<<31 - 1

type sealNote struct {
	V           int    `json:"v"`
	Lock        string `json:"lock"`
	Holder      string `json:"holder"`
	TTL         int    `json:"ttl"`
	Acquired    string `json:"acquired"`
	Renewed     string `json:"renewed"`
	Transitions int    `json:"transitions"`
	Pod         string `json:"pod"`
	Start       string `json:"start"`
	Nonce       string `json:"nonce"`
	Term        string `json:"term"`
	Offer       *struct {
		Nonce string `json:"nonce"`
		To    string `json:"to"`
	} `json:"offer"`
	Released string `json:"released"`
	To       string `json:"to"`
	Create   string `json:"create"`
}

// OfLease reads a Lease.
func OfLease(l *coordinationv1.Lease) Record {
	r := head(Leases, &l.ObjectMeta)
	s := &l.Spec
	if s.HolderIdentity != nil {
		r.Holder = *s.HolderIdentity
	}
	if s.LeaseDurationSeconds != nil {
		r.Duration = seconds(int64(*s.LeaseDurationSeconds))
	}
	if s.AcquireTime != nil {
		r.Acquired, r.election = s.AcquireTime.Time, true
	}
	if s.RenewTime != nil {
		r.Renewed = s.RenewTime.Time
	}
	if s.LeaseTransitions != nil {
		r.Transitions, r.election = int(max(*s.LeaseTransitions, 0)), true
	}
	return r
}

// said is what the annotation of 0.5 says of a holder.
type said struct {
	HolderIdentity       *string `json:"holderIdentity"`
	LeaseDurationSeconds *int64  `json:"leaseDurationSeconds"`
	AcquireTime          *string `json:"acquireTime"`
	RenewTime            *string `json:"renewTime"`
	LeaderTransitions    *int64  `json:"leaderTransitions"`
	LeaseTransitions     *int64  `json:"leaseTransitions"`
}

func (s *said) into(r *Record) error {
	if s.HolderIdentity != nil {
		r.Holder = *s.HolderIdentity
	}
	if s.LeaseDurationSeconds != nil {
		r.Duration = seconds(*s.LeaseDurationSeconds)
	}
	for _, n := range []*int64{s.LeaderTransitions, s.LeaseTransitions} {
		if n != nil {
			r.Transitions = int(min(max(*n, 0), maxSeconds))
		}
	}
	var err1, err2 error
	r.Acquired, err1 = instant(s.AcquireTime)
	r.Renewed, err2 = instant(s.RenewTime)
	return errors.Join(err1, err2)
}

// OfEndpoints reads the metadata of an Endpoints object: the rest of it holds
// nothing of an election.
func OfEndpoints(m *metav1.ObjectMeta) Record {
	r := head(Endpoints, m)
	note := m.Annotations[oldLeaderNote]
	if note == "" {
		return r // 0.5 creates the object empty, and a Service's has none
	}
	r.election = true
	var s said
	err := json.Unmarshal([]byte(note), &s)
	if err == nil {
		err = s.into(&r)
	}
	if err != nil {
		r.Holder, r.Acquired, r.Renewed, r.Transitions = "", time.Time{}, time.Time{}, 0
		r.Tombstone, r.Acceptance, r.Request = "", nil, nil
		r.Malformed = "the annotation " + oldLeaderNote + ": " + err.Error()
	}
	return r
}

// head reads what both kinds have: identity and annotations. A note that cannot
// be read is as good as none.
func head(kind Kind, m *metav1.ObjectMeta) Record {
	r := Record{Kind: kind, Namespace: m.Namespace, Name: m.Name, UID: string(m.UID)}
	r.Version, _ = strconv.ParseUint(m.ResourceVersion, 10, 64)
	var s sealNote
	if text, ok := m.Annotations[recordNote]; ok {
		r.election = true
		if json.Unmarshal([]byte(text), &s) == nil && s.V == noteVersion {
			if s.Create != "" {
				r.Tombstone = s.Create
			} else {
				r.Seal = s.seal()
			}
		}
	}
	var a struct {
		V     int    `json:"v"`
		By    string `json:"by"`
		Start string `json:"start"`
		Offer string `json:"offer"`
	}
	if json.Unmarshal([]byte(m.Annotations[acceptanceNote]), &a) == nil && a.V == noteVersion {
		r.Acceptance = &Acceptance{By: a.By, Start: a.Start, Offer: a.Offer}
	}
	if value, ok := m.Annotations[SwitchoverNote]; ok {
		r.election = true
		r.Request = parseRequest(value)
	}
	if value := m.Annotations[PausedNote]; value != "" && value != "false" {
		r.election, r.Paused, r.PausedBy = true, true, value
	}
	return r
}

// seal is nil if the note does not say a whole seal.
func (s *sealNote) seal() *Seal {
	acquired, err1 := instant(&s.Acquired)
	renewed, err2 := instant(&s.Renewed)
	term, err3 := strconv.ParseUint(s.Term, 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || s.Start == "" || s.Nonce == "" || s.Lock == "" {
		return nil
	}
	if s.TTL < 1 || s.TTL > maxSeconds {
		return nil
	}
	seal := &Seal{
		Lock: s.Lock, Holder: s.Holder, Duration: time.Duration(s.TTL) * time.Second,
		Acquired: acquired, Renewed: renewed, Transitions: s.Transitions,
		PodUID: s.Pod, Start: s.Start, Nonce: s.Nonce, Term: term,
		Released: s.Released != "" && s.Released == s.Term, To: s.To,
	}
	if s.Offer != nil {
		seal.Offer = &Offer{Nonce: s.Offer.Nonce, To: s.Offer.To}
	}
	return seal
}

// parseRequest reads HOLDER/CANDIDATE. A value without a slash addresses nobody.
func parseRequest(value string) *Request {
	from, to, ok := strings.Cut(value, "/")
	if !ok {
		return &Request{To: value}
	}
	return &Request{From: from, To: to}
}

func seconds(n int64) time.Duration { return time.Duration(min(max(n, 0), maxSeconds)) * time.Second }

// instant reads RFC 3339 to the last digit. An empty time, or none, is the zero
// time.
func instant(s *string) (time.Time, error) {
	if s == nil || *s == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, *s)
}
