package lock

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// held is a record as a holder writes it.
func held(uid string) engine.Record {
	rec := engine.Record{Holder: "music-0", Duration: 10 * time.Second, Acquired: noon, Renewed: noon.Add(3 * time.Second), Transitions: 4}
	rec.Seal = &engine.Seal{
		Lock: uid, Holder: rec.Holder, Duration: rec.Duration, Acquired: rec.Acquired, Renewed: rec.Renewed, Transitions: rec.Transitions,
		PodUID: "pod-uid", Start: "5d0c", Nonce: "5d0c-12", Term: 4711, Offer: &engine.Offer{Nonce: "5d0c-11", To: "music-1"},
	}
	return rec
}

const base = `{"metadata":{"name":"music","uid":"u1","resourceVersion":"42","labels":{"team":"radio"},"annotations":{"theirs":"kept"},
 "managedFields":[{"manager":"kubectl"}],"unknown":{"x":1}},"spec":{"strategy":"Oldest","holderIdentity":"old"},"extra":[1,2]}`

func lockOf(t *testing.T, k Kind) *Lock {
	t.Helper()
	l, err := New(nil, k, "default", "music")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// rewrite applies a holder's write to a stored object, as Swap does.
func rewrite(t *testing.T, l *Lock, stored string, put engine.Record) []byte {
	t.Helper()
	doc, err := parseDocument([]byte(stored))
	if err != nil {
		t.Fatal(err)
	}
	doc = doc.clone()
	if err := l.hold(doc, &put); err != nil {
		t.Fatal(err)
	}
	body, err := doc.encode(l.kind.head())
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestWhatAHolderWritesIsReadBack(t *testing.T) {
	for _, k := range []Kind{Leases, Endpoints} {
		l := lockOf(t, k)
		for name, change := range map[string]func(*engine.Record){
			"held": func(*engine.Record) {},
			"accepted": func(r *engine.Record) {
				r.Acceptance = &engine.Acceptance{By: "music-1", Start: "77", Offer: "5d0c-11"}
			},
			"requested": func(r *engine.Record) {
				r.Request = &engine.Request{From: "music-0", To: "music-1"}
			},
			"released": func(r *engine.Record) {
				r.Holder, r.Seal.Holder, r.Seal.Released, r.Seal.To, r.Seal.Offer = "", "", true, "music-1", nil
			},
		} {
			put := held("u1")
			change(&put)
			got, err := l.decode(rewrite(t, l, base, put))
			if err != nil {
				t.Fatalf("%s %s: %v", k, name, err)
			}
			put.UID, put.Version = "u1", 42
			got.Object = nil
			if !reflect.DeepEqual(got, put) {
				t.Errorf("%s %s:\nread  %+v %+v\nwrote %+v %+v", k, name, got, got.Seal, put, put.Seal)
			}
		}
	}
}

func TestWhatOthersWroteSurvives(t *testing.T) {
	for _, k := range []Kind{Leases, Endpoints} {
		stored := strings.Replace(base, `"theirs":"kept"`, `"theirs":"kept","leader-elector.io/paused":"true",
			"control-plane.alpha.kubernetes.io/leader":"{\"holderIdentity\":\"x\",\"preferredHolder\":\"y\"}"`, 1)
		body := string(rewrite(t, lockOf(t, k), stored, held("u1")))
		for _, want := range []string{`"theirs":"kept"`, `"team":"radio"`, `"unknown":{"x":1}`, `"strategy":"Oldest"`, `"extra":[1,2]`, `"leader-elector.io/paused":"true"`, `preferredHolder`, `"uid":"u1"`, `"resourceVersion":"42"`} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: %s is gone from %s", k, want, body)
			}
		}
		if strings.Contains(body, "managedFields") {
			t.Errorf("%s: the server's own account of fields is sent back: %s", k, body)
		}
	}
}

func TestTheEndpointsAnnotationIsWrittenAs05WritesIt(t *testing.T) {
	body := rewrite(t, lockOf(t, Endpoints), base, held("u1"))
	var o struct {
		Metadata struct{ Annotations map[string]string }
	}
	if err := json.Unmarshal(body, &o); err != nil {
		t.Fatal(err)
	}
	want := `{"holderIdentity":"music-0","leaseDurationSeconds":10,"acquireTime":"2026-11-23T12:00:00Z","renewTime":"2026-11-23T12:00:03Z","leaderTransitions":4}`
	if got := o.Metadata.Annotations[leaderNote]; got != want {
		t.Errorf("wrote %s\nwant  %s", got, want)
	}
}

func TestAnAcceptanceLeavesEverythingElseAsItIs(t *testing.T) {
	l := lockOf(t, Leases)
	stored := rewrite(t, l, base, held("u1"))
	// A newer version of ours may know more of a seal than this one.
	stored = []byte(strings.Replace(string(stored), `\"v\":1,`, `\"v\":1,\"later\":true,`, 1))
	doc, err := parseDocument(stored)
	if err != nil {
		t.Fatal(err)
	}
	before, changed := doc.notes[recordNote], doc.clone()
	if err := changed.setAcceptance(&engine.Acceptance{By: "b", Start: "s", Offer: "5d0c-11"}); err != nil {
		t.Fatal(err)
	}
	body, err := changed.encode(l.kind.head())
	if err != nil {
		t.Fatal(err)
	}
	after, err := parseDocument(body)
	if err != nil {
		t.Fatal(err)
	}
	if after.notes[recordNote] != before || string(after.root["spec"]) != string(doc.root["spec"]) {
		t.Errorf("the seal or the spec changed:\n%s\n%s", before, after.notes[recordNote])
	}
	if _, shared := doc.notes[acceptanceNote]; shared {
		t.Error("the record that was read was changed in place")
	}
}

func TestARecordOfAnotherVersionIsNoSeal(t *testing.T) {
	l := lockOf(t, Leases)
	body := strings.Replace(string(rewrite(t, l, base, held("u1"))), `\"v\":1`, `\"v\":2`, 1)
	rec, err := l.decode([]byte(body))
	if err != nil || rec.Seal != nil || rec.Holder != "music-0" {
		t.Errorf("read seal %v, holder %q, error %v; want no seal, the holder, no error", rec.Seal, rec.Holder, err)
	}
}

func TestASealWithoutALeaseIsNoSeal(t *testing.T) {
	l := lockOf(t, Endpoints)
	body := string(rewrite(t, l, base, held("u1")))
	for _, ttl := range []string{"0", "-1", "99999999999"} {
		forged := strings.Replace(body, `\"ttl\":10`, `\"ttl\":`+ttl, 1)
		rec, err := l.decode([]byte(forged))
		if err != nil || forged == body || rec.Seal != nil {
			t.Errorf("with a ttl of %s the seal is read as %+v, error %v", ttl, rec.Seal, err)
		}
	}
}

func TestAnEditBreaksTheSeal(t *testing.T) {
	l := lockOf(t, Leases)
	body := string(rewrite(t, l, base, held("u1")))
	for what, edit := range map[string][2]string{
		"a microsecond": {"12:00:03.000000Z", "12:00:03.000001Z"},
		"the holder":    {`"holderIdentity":"music-0"`, `"holderIdentity":"music-9"`},
		"the duration":  {`"leaseDurationSeconds":10`, `"leaseDurationSeconds":1`},
		"transitions":   {`"leaseTransitions":4`, `"leaseTransitions":5`},
	} {
		rec, err := l.decode([]byte(strings.Replace(body, edit[0], edit[1], 1)))
		if err != nil {
			t.Fatal(err)
		}
		s := rec.Seal
		if s != nil && s.Holder == rec.Holder && s.Duration == rec.Duration && s.Renewed.Equal(rec.Renewed) && s.Transitions == rec.Transitions {
			t.Errorf("an edit of %s leaves the seal intact", what)
		}
	}
}

func TestWhatCannotBeReadIsToldNotFailed(t *testing.T) {
	for name, c := range map[string]struct {
		kind Kind
		body string
	}{
		"0.5's annotation is no JSON": {Endpoints, `{"metadata":{"uid":"u","resourceVersion":"7","annotations":{"control-plane.alpha.kubernetes.io/leader":"{"}}}`},
		"0.5's time is no time":       {Endpoints, `{"metadata":{"uid":"u","resourceVersion":"7","annotations":{"control-plane.alpha.kubernetes.io/leader":"{\"holderIdentity\":\"x\",\"renewTime\":\"soon\"}"}}}`},
		"the spec is a list":          {Leases, `{"metadata":{"uid":"u","resourceVersion":"7"},"spec":[]}`},
	} {
		rec, err := lockOf(t, c.kind).decode([]byte(c.body))
		if err != nil || rec.Malformed == "" || rec.Holder != "" || rec.Version != 7 {
			t.Errorf("%s: read %+v, error %v; want it told in Malformed", name, rec, err)
		}
	}
}

func TestARecordAs05WritesItIsRead(t *testing.T) {
	const object = `{"metadata":{"uid":"u","resourceVersion":"7","annotations":{"control-plane.alpha.kubernetes.io/leader":"{\"holderIdentity\":\"music-pod-test-594cbb7478-wcs5t\",\"leaseDurationSeconds\":10,\"acquireTime\":\"2026-11-23T06:34:49Z\",\"renewTime\":\"2026-11-23T06:35:01Z\",\"leaderTransitions\":0}"}},"subsets":null}`
	rec, err := lockOf(t, Endpoints).decode([]byte(object))
	if err != nil || rec.Holder != "music-pod-test-594cbb7478-wcs5t" || rec.Duration != 10*time.Second || rec.Seal != nil || rec.Malformed != "" {
		t.Errorf("read %+v, error %v", rec, err)
	}
}

func TestOperatorsAreHeard(t *testing.T) {
	for value, want := range map[string]engine.Request{
		"music-0/music-1": {From: "music-0", To: "music-1"},
		"music-0/":        {From: "music-0"},
		"music-1":         {To: "music-1"},
	} {
		if got := parseRequest(value); *got != want {
			t.Errorf("switchover-to=%q is read as %+v, want %+v", value, *got, want)
		}
	}
}

// What a holder can say at all is read back as it was said, on both kinds.
func TestEveryRecordIsReadBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		instant := func(what string) time.Time {
			return time.Unix(rapid.Int64Range(0, 1<<33).Draw(r, what), 0).UTC()
		}
		put := engine.Record{
			Holder: rapid.String().Draw(r, "holder"), Duration: time.Duration(rapid.IntRange(1, maxDuration).Draw(r, "ttl")) * time.Second,
			Acquired: instant("acquired"), Renewed: instant("renewed"), Transitions: rapid.IntRange(0, maxDuration).Draw(r, "transitions"),
		}
		put.Seal = &engine.Seal{
			Lock: "u1", Holder: put.Holder, Duration: put.Duration, Acquired: put.Acquired, Renewed: put.Renewed, Transitions: put.Transitions,
			PodUID: rapid.String().Draw(r, "pod"), Start: "s" + rapid.String().Draw(r, "start"), Nonce: "n" + rapid.String().Draw(r, "nonce"),
			Term: engine.Term(rapid.Uint64().Draw(r, "term")), Released: rapid.Bool().Draw(r, "released"),
		}
		if put.Seal.Released {
			put.Seal.To = rapid.String().Draw(r, "to")
		} else if rapid.Bool().Draw(r, "offered") {
			put.Seal.Offer = &engine.Offer{Nonce: rapid.String().Draw(r, "offer"), To: rapid.String().Draw(r, "addressee")}
			put.Acceptance = &engine.Acceptance{By: rapid.String().Draw(r, "by"), Start: "x", Offer: put.Seal.Offer.Nonce}
		}
		for _, k := range []Kind{Leases, Endpoints} {
			l := lockOf(t, k)
			got, err := l.decode(rewrite(t, l, base, put))
			if err != nil {
				r.Fatal(err)
			}
			want := put
			want.UID, want.Version, want.Object = "u1", 42, got.Object
			if !reflect.DeepEqual(got, want) {
				r.Fatalf("%s: read %+v %+v, wrote %+v %+v", k, got, got.Seal, want, want.Seal)
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(base))
	f.Add([]byte(`{"metadata":{"uid":"u","resourceVersion":"7","annotations":{"leader-elector.io/record":"{\"v\":1,\"ttl\":-1}"}},"spec":{"leaseDurationSeconds":-5}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, k := range []Kind{Leases, Endpoints} {
			l := lockOf(t, k)
			rec, err := l.decode(body)
			if err != nil {
				continue
			}
			if rec.Duration < 0 || rec.Version == 0 || rec.UID == "" {
				t.Errorf("read %+v", rec)
			}
			put := held(rec.UID)
			doc := rec.Object.(document).clone()
			if err := l.hold(doc, &put); err != nil {
				t.Fatal(err)
			}
			if _, err := doc.encode(l.kind.head()); err != nil {
				t.Fatal(err)
			}
		}
	})
}
