package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/notify"
	"github.com/leader-elector/leader-elector/internal/status"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

// singer is an app that is told: it acts from the news that it leads to the
// news that it does not, and notes each act with the machine's boot clock.
type singer struct {
	server *httptest.Server

	mu       sync.Mutex
	acts     []deed
	term     uint64        // for which it acts; 0: it does not
	deadline time.Duration // until when it may, as it was told last
	stubborn bool          // accepts no end
	picky    bool          // accepts no lead
	slow     time.Duration // how long it acts on before it accepts the end
	done     chan struct{}
}

// sings starts an app, at an address of an earlier one if one is given.
func sings(t *testing.T, address string) *singer {
	t.Helper()
	s := &singer{done: make(chan struct{})}
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(s.hear))
	if address != "" {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		s.server.Listener.Close()
		s.server.Listener = l
	}
	s.server.Start()
	var work sync.WaitGroup
	work.Go(func() {
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-tick.C:
				s.act()
			case <-s.done:
				return
			}
		}
	})
	t.Cleanup(func() { s.end(); work.Wait() })
	return s
}

func (s *singer) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
	default:
		close(s.done)
		s.server.CloseClientConnections()
		go s.server.Close()
	}
}

func (s *singer) act() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.term != 0 {
		s.acts = append(s.acts, deed{s.term, elector.BootTime()})
	}
}

func (s *singer) hear(w http.ResponseWriter, r *http.Request) {
	at := elector.BootTime()
	var v status.View
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch event := r.Header.Get(notify.HeaderEvent); {
	case v.IsLeader && s.picky:
		http.Error(w, "not now", http.StatusServiceUnavailable)
	case v.IsLeader:
		fmt.Sscan(*v.Term, &s.term)
		s.deadline = at + time.Duration(v.ValidForSeconds*float64(time.Second))
	case event == notify.EventStop && s.stubborn && s.term != 0:
		http.Error(w, "never", http.StatusServiceUnavailable)
	case event == notify.EventStop && s.term != 0:
		s.mu.Unlock()
		time.Sleep(s.slow) // what the app does to stop
		s.mu.Lock()
		s.term = 0
	}
}

func (s *singer) deeds() []deed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.acts)
}

// actsNow says whether the app has acted for the lead that it knows of.
func (s *singer) actsNow() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.term != 0 && len(s.acts) > 0 && s.acts[len(s.acts)-1].term == s.term
}

// toldPair is a pair of candidates with an app each, of which a leads.
func toldPair(t *testing.T, args ...string) (a, b *process, x, y *singer) {
	t.Helper()
	p := testplane.Get(t)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}
	x, y = sings(t, ""), sings(t, "")
	a = launch(t, p, c, append(args, "--new-lock=immediate", "--notify-url="+x.server.URL)...)
	eventually(t, "a's app acting", x.actsNow)
	c.Pod = "b"
	b = launch(t, p, c, append(args, "--notify-url="+y.server.URL)...)
	eventually(t, "b being able to take over", func() bool { code, _ := b.get("/standby"); return code == http.StatusOK })
	return a, b, x, y
}

// together are all acts in the order of their time.
func together(all ...*singer) (acts []deed) {
	for _, s := range all {
		acts = append(acts, s.deeds()...)
	}
	slices.SortFunc(acts, func(a, b deed) int { return int(a.at - b.at) })
	return acts
}

// Law 9(c): an app that takes its time to stop is waited for, and the other one
// acts only then.
func TestLaw09_NoTwoToldAppsActAndTheGapIsShort(t *testing.T) {
	t.Parallel()
	a, b, x, y := toldPair(t)
	x.slow, y.slow = 300*time.Millisecond, 300*time.Millisecond
	from, to, next := a, b, y
	for range 4 {
		if code, said := from.stepDown(t, ""); code != http.StatusOK {
			t.Fatalf("%s hands over with %d %+v", from.name, code, said)
		}
		eventually(t, to.name+"'s app acting", next.actsNow)
		eventually(t, to.name+" holding back no more", func() bool { code, _ := from.get("/standby"); return code == http.StatusOK })
		if from, to, next = to, from, x; to == b {
			next = y
		}
	}
	acts := together(x, y)
	inOrder(t, acts)
	if got := terms(acts); len(got) != 5 {
		t.Errorf("the apps acted for the terms %v, want five", got)
	}
	for i := range acts[1:] {
		if acts[i].term != acts[i+1].term {
			t.Logf("nobody acted for %v", acts[i+1].at-acts[i].at)
		}
	}
}

// An app that accepts no end keeps the lock from being released: nobody else
// acts before what it was promised has run out.
func TestLaw09_AnAppThatNeverAcceptsKeepsItsLease(t *testing.T) {
	t.Parallel()
	a, _, x, y := toldPair(t, "--handover-timeout=300ms")
	x.mu.Lock()
	x.stubborn = true
	x.mu.Unlock()
	code, said := a.stepDown(t, "")
	if code == http.StatusOK {
		t.Errorf("it was handed over although the app acts: %+v", said)
	}
	eventually(t, "b's app acting", y.actsNow)
	x.mu.Lock()
	until := x.deadline
	x.mu.Unlock()
	if first := y.deeds()[0].at; first < until {
		t.Errorf("b's app acts at %v; a's may act until %v", first, until)
	}
}

func TestAnAppThatDoesNotTakeTheLeadGivesItUp(t *testing.T) {
	t.Parallel()
	a, b, x, y := toldPair(t, "--handover-timeout=300ms")
	y.mu.Lock()
	y.picky = true
	y.mu.Unlock()
	if code, said := a.stepDown(t, ""); code != http.StatusOK {
		t.Fatalf("a hands over with %d %+v", code, said)
	}
	eventually(t, "b leading", b.leads)
	eventually(t, "the lead coming back to the app that takes it", x.actsNow)
	var v status.View
	if _, body := b.get("/status"); json.Unmarshal([]byte(body), &v) != nil || !strings.Contains(v.Health.Reason, "did not accept that it leads: it answers 503 not now") {
		t.Errorf("b does not say why it stands aside: %s", body)
	}
	if code, said := a.stepDown(t, ""); code != http.StatusConflict || !said.IsLeader {
		t.Errorf("a hands over to an app that has just refused: %d %+v", code, said)
	}
	if n := len(y.deeds()); n != 0 {
		t.Errorf("the app that takes no lead acted %d times", n)
	}
	if got := terms(together(x)); len(got) != 2 || got[1] <= got[0] {
		t.Errorf("a's app acted for the terms %v, want two that rise", got)
	}
}

// A renewal is told too, so an app that was restarted hears of its lead.
func TestAnAppThatIsRestartedHearsThatItLeads(t *testing.T) {
	t.Parallel()
	a, _, x, _ := toldPair(t)
	address := x.server.Listener.Addr().String()
	x.end()
	eventually(t, "the app's end", func() bool {
		l, err := net.Listen("tcp", address)
		if err == nil {
			l.Close()
		}
		return err == nil
	})
	again := sings(t, address)
	eventually(t, "the app acting again", again.actsNow)
	if got := terms(again.deeds()); len(got) > 0 && fmt.Sprint(got[0]) != *a.status(t).Term {
		t.Errorf("it acts for the term %v, a leads %s", got, *a.status(t).Term)
	}
}

// What is known to be dead is not waited for, however long the app might take.
func TestALeadMovesAtOnceWhenTheAppDies(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}
	x, y := sings(t, ""), sings(t, "")
	with := func(s *singer) []string {
		return []string{"--handover-timeout=60s", "--ttl=60s", "--notify-url=" + s.server.URL, "--health-check=" + strings.Replace(s.server.URL, "http", "tcp", 1)}
	}
	launch(t, p, c, append(with(x), "--new-lock=immediate")...)
	eventually(t, "a's app acting", x.actsNow)
	c.Pod = "b"
	b := launch(t, p, c, with(y)...)
	eventually(t, "b being able to take over", func() bool { code, _ := b.get("/standby"); return code == http.StatusOK })
	begun := time.Now()
	x.end()
	eventually(t, "b's app acting", y.actsNow)
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %v, so the lease ran out", took)
	}
	inOrder(t, together(x, y))
}

// An app that does not listen yet, or does not accept, is no candidate.
func TestAnAppThatHasAcceptedNothingDoesNotLead(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	address := vacant(t)
	a := launch(t, p, testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}, "--new-lock=immediate", "--notify-url=http://"+address)
	eventually(t, "a saying whom it waits for", func() bool {
		return a.status(t).Ready && strings.Contains(a.status(t).Waiting, "has not accepted yet that it does not lead")
	})
	if a.leads() {
		t.Error("a leads an app that is not there")
	}
	x := sings(t, address)
	eventually(t, "a's app acting", x.actsNow)
}
