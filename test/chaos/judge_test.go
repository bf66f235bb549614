package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// A claim is a 200: who, for which term, asked when, answered when.
type claim struct {
	who           string
	term          uint64
	sent, arrived time.Duration
}

func TestTwoLeadersAreProvenByAQuestionAfterALaterLeadHasBegun(t *testing.T) {
	for name, c := range map[string]struct {
		claims []claim
		broken bool
	}{
		"one after the other":                    {[]claim{{"a", 1, 0, 1}, {"a", 1, 8, 9}, {"b", 2, 10, 11}}, false},
		"asked before, answered after: a freeze": {[]claim{{"a", 1, 0, 1}, {"b", 2, 10, 11}, {"a", 1, 9, 20}}, false},
		"questions that overlap prove nothing":   {[]claim{{"a", 1, 5, 9}, {"b", 2, 6, 8}}, false},
		"the old one leads on":                   {[]claim{{"a", 1, 0, 1}, {"b", 2, 10, 11}, {"a", 1, 12, 13}}, true},
		"its answer comes first":                 {[]claim{{"b", 2, 10, 20}, {"a", 1, 12, 13}, {"b", 2, 30, 31}}, false},
		"it is asked after, and answered first":  {[]claim{{"a", 1, 32, 33}, {"b", 2, 30, 31}}, true},
		"a term falls in one candidate":          {[]claim{{"a", 2, 0, 1}, {"a", 1, 5, 6}}, true},
		"two with one term":                      {[]claim{{"a", 1, 0, 1}, {"b", 1, 5, 6}}, true},
	} {
		var said []string
		r := newReferee(func(what string) { said = append(said, what) })
		for _, c := range c.claims {
			r.claim(c.who, c.term, c.sent, c.arrived)
		}
		if (len(said) > 0) != c.broken {
			t.Errorf("%s: %q, want a violation: %v", name, said, c.broken)
		}
	}
}

func TestALeadThatWasLostDoesNotComeBack(t *testing.T) {
	var said []string
	r := newReferee(func(what string) { said = append(said, what) })
	r.claim("a", 1, 0, 1)
	r.leads[1].notAt = 2
	r.claim("a", 1, 4, 5)
	if len(said) != 1 {
		t.Errorf("%q", said)
	}
}

func TestWhoNamesItselfWithinTheLeadOfAnotherIsASecondLeader(t *testing.T) {
	for _, c := range []struct {
		claim  nameClaim
		broken bool
	}{
		{nameClaim{"b", 12, 13}, true}, {nameClaim{"b", 9, 13}, false}, {nameClaim{"b", 12, 21}, false}, {nameClaim{"a", 12, 13}, false},
	} {
		var said []string
		r := newReferee(func(what string) { said = append(said, what) })
		r.claim("a", 1, 9, 10)
		r.claim("a", 1, 20, 21)
		r.names = append(r.names, c.claim)
		r.judgeNames()
		if (len(said) > 0) != c.broken {
			t.Errorf("%v: %q", c.claim, said)
		}
	}
}

func TestActsOfTwoTermsDoNotOverlapAndTermsDoNotFall(t *testing.T) {
	for name, c := range map[string]struct {
		log    string
		broken bool
	}{
		"in order":                     {"1 10 11 a|1 12 13 a|2 14 15 b", false},
		"two acts of one term overlap": {"1 10 14 a|1 12 13 a|2 15 16 b", false},
		"the second begins too early":  {"1 10 11 a|1 12 15 a|2 14 16 b", true},
		"at the same instant":          {"1 10 14 a|2 14 16 b", true},
		"too early for an older act":   {"1 10 20 a|1 12 13 a|2 14 16 b", true},
		"an act of the third counts":   {"1 10 11 a|2 14 20 b|3 19 21 c", true},
		"a term falls along the log":   {"1 10 11 a|2 14 15 b|1 12 13 a", true},
	} {
		var j deedJudge
		said := ""
		for line := range strings.SplitSeq(c.log, "|") {
			d, err := parseDeed(line)
			if err != nil {
				t.Fatal(err)
			}
			said += j.judge(d)
		}
		if (said != "") != c.broken {
			t.Errorf("%s: %q, want a violation: %v", name, said, c.broken)
		}
	}
}

func TestTheStoreRefusesLowerTerms(t *testing.T) {
	var s storeJudge
	for _, write := range []string{"9 a", "9 a", "12 b", "9 a", "12 b"} {
		s.take(write)
	}
	if s.taken != 4 || len(s.refused) != 1 {
		t.Errorf("%d taken, refused %q", s.taken, s.refused)
	}
}

// leaseOf is the lock in a version, as one of its writers left it.
func leaseOf(version int, content string) []byte {
	return fmt.Appendf(nil, `{"metadata":{"name":%q,"uid":"u","resourceVersion":"%d"},"spec":{"holderIdentity":%q}}`, lockName, version, content)
}

const collectionPath = "/apis/coordination.k8s.io/v1/namespaces/n/leases"

// told plays a history: one request per word, each answered before the next
// begins, but for a word that ends in "?", which is never answered.
//
//	get=5x     a read that shows version 5 with content x     get=0  a read that shows none
//	put5=6x    a swap of version 5 by x that makes version 6  put5!x a swap that is refused by 409
//	put5?x     a swap that nobody answers                     del5   a deletion
//	new=5x     a creation
func told(t *testing.T, words string) *history {
	t.Helper()
	h := newHistory(collectionPath + "/" + lockName)
	for word := range strings.FieldsSeq(words) {
		var on, made int
		var content string
		switch {
		case word == "get=0":
			h.begin("a", http.MethodGet, h.path, nil)(http.StatusNotFound, nil)
		case scan(word, "get=%d%s", &made, &content):
			h.begin("a", http.MethodGet, h.path, nil)(http.StatusOK, leaseOf(made, content))
		case scan(word, "put%d=%d%s", &on, &made, &content):
			h.begin("a", http.MethodPut, h.path, leaseOf(on, content))(http.StatusOK, leaseOf(made, content))
		case scan(word, "put%d!%s", &on, &content):
			h.begin("b", http.MethodPut, h.path, leaseOf(on, content))(http.StatusConflict, nil)
		case scan(word, "put%d?%s", &on, &content):
			h.begin("b", http.MethodPut, h.path, leaseOf(on, content))(0, nil)
		case scan(word, "del%d", &on):
			h.begin("a", http.MethodDelete, h.path, fmt.Appendf(nil, `{"preconditions":{"uid":"u","resourceVersion":"%d"}}`, on))(http.StatusOK, nil)
		case scan(word, "new=%d%s", &made, &content):
			body := fmt.Appendf(nil, `{"metadata":{"name":%q},"spec":{"holderIdentity":%q}}`, lockName, content)
			h.begin("a", http.MethodPost, collectionPath, body)(http.StatusCreated, leaseOf(made, content))
		default:
			t.Fatalf("%q is no word", word)
		}
	}
	return h
}

func scan(word, format string, to ...any) bool {
	n, err := fmt.Sscanf(word, format, to...)
	return err == nil && n == len(to)
}

func TestAHistoryIsThatOfACompareAndSwapRegisterOrIsFoundOut(t *testing.T) {
	for words, want := range map[string]porcupine.CheckResult{
		"get=0 new=5x get=5x put5=6y get=6y del6 get=0":  porcupine.Ok,
		"new=5x put5=6y get=5x":                          porcupine.Illegal, // a stale read
		"new=5x put5=6y put5=7z":                         porcupine.Illegal, // a swap of what was replaced
		"new=5x put5=6y put5!z get=6y":                   porcupine.Ok,
		"new=5x put5!z get=6z":                           porcupine.Ok,      // a conflict with one's own write
		"new=5x put5!z get=5x":                           porcupine.Illegal, // a conflict with nothing
		"new=5x put5?z get=5x":                           porcupine.Ok,      // it was lost
		"new=5x put5?z get=6z":                           porcupine.Ok,      // it was carried out
		"new=5x put5?z get=5x get=6z":                    porcupine.Ok,      // late
		"new=5x put5?z get=5x put5=6y get=7z":            porcupine.Illegal, // over a newer version
		"new=5x put5?z put5?y get=6y put6=7w get=7w":     porcupine.Ok,
		"new=5x put5?z get=6z put5?y get=7y":             porcupine.Illegal,
		"new=5x del5 put5!y get=0":                       porcupine.Ok,
		"new=5x del5 get=5x":                             porcupine.Illegal,
		"new=5x del5 put5=6y":                            porcupine.Illegal, // a swap that makes a deleted lock anew
		"new=5x new=6y":                                  porcupine.Illegal,
		"new=5x put5?y del5 put5?z new=8w put8?v get=8w": porcupine.Ok,
	} {
		if v := told(t, words).check(time.Minute); v.result != want || len(v.faults) > 0 {
			t.Errorf("%s: %s %v, want %s", words, v.result, v.faults, want)
		}
	}
}

func TestOneVersionHasOneContent(t *testing.T) {
	h := told(t, "new=5x")
	h.observe(fmt.Appendf(nil, `{"type":"MODIFIED","object":%s}`, leaseOf(5, "x")))
	if len(h.faults) > 0 {
		t.Errorf("%q", h.faults)
	}
	h.observe(fmt.Appendf(nil, `{"type":"MODIFIED","object":%s}`, leaseOf(5, "y")))
	if len(h.faults) != 1 {
		t.Errorf("version 5 was seen with two contents, and %q was said", h.faults)
	}
}

func TestManyUnknownOutcomesDoNotKeepTheCheckerBusy(t *testing.T) {
	words := "new=1x"
	for v := 1; v < 400; v++ {
		words += fmt.Sprintf(" put%d?lost%d put%d=%dy%d", v, v, v, v+1, v)
	}
	for more, want := range map[string]porcupine.CheckResult{"": porcupine.Ok, " get=1x": porcupine.Illegal} {
		if v := told(t, words+more).check(time.Minute); v.result != want || v.unknown != 399 {
			t.Errorf("%s after %v, %d unknown, want %s", v.result, v.took, v.unknown, want)
		}
	}
}
