package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	elector "github.com/leader-elector/leader-elector"
)

// app is what is told. It answers with what answer gives it.
type app struct {
	*httptest.Server
	heard chan heard
	first atomic.Uint64 // sequence that was heard

	mu     sync.Mutex
	answer func(heard) int
}

// heard is one POST; seq counts from 1 at the first that this app heard.
type heard struct{ event, seq, missed, leader string }

func newApp(t *testing.T) *app {
	t.Helper()
	a := &app{heard: make(chan heard, 100)}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Leader string }
		data, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || json.Unmarshal(data, &body) != nil {
			t.Errorf("%s %s", r.Method, data)
		}
		seq, err := strconv.ParseUint(r.Header.Get(HeaderSequence), 10, 64)
		if err != nil {
			t.Errorf("the sequence is %q", r.Header.Get(HeaderSequence))
		}
		a.first.CompareAndSwap(0, seq)
		h := heard{r.Header.Get(HeaderEvent), fmt.Sprint(seq - a.first.Load() + 1), r.Header.Get(HeaderMissed), body.Leader}
		a.mu.Lock()
		answer := a.answer
		a.mu.Unlock()
		code := http.StatusNoContent
		if answer != nil {
			code = answer(h)
		}
		a.heard <- h
		w.WriteHeader(code)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *app) answers(answer func(heard) int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

func (a *app) next(t *testing.T) heard {
	t.Helper()
	select {
	case h := <-a.heard:
		return h
	case <-time.After(20 * time.Second):
		t.Fatal("the app hears nothing")
		return heard{}
	}
}

// who leads, for the bodies.
type leader struct {
	mu   sync.Mutex
	name string
}

func (l *leader) set(name string) { l.mu.Lock(); l.name = name; l.mu.Unlock() }
func (l *leader) view() (string, bool, any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.name, l.name == "me", map[string]string{"leader": l.name}
}

// posts runs a Post until the test ends.
func posts(t *testing.T, url string, change func(*PostConfig)) (*Post, *leader) {
	t.Helper()
	l := &leader{}
	cfg := PostConfig{URL: url, Patience: 5 * time.Second, View: l.view, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	p, err := NewPost(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { p.Run(ctx) })
	t.Cleanup(func() { cancel(); work.Wait() })
	return p, l
}

func (l *leader) tell(p *Post, name string) { l.set(name); p.Sees(name, false) }

func TestTheAppHearsHowThingsStandAndThenEachChangeInOrder(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	p, l := posts(t, a.URL, nil)
	if h := a.next(t); h != (heard{"stop", "1", "0", ""}) {
		t.Errorf("the first news is %+v", h)
	}
	l.tell(p, "b")
	l.tell(p, "b") // is no news
	l.tell(p, "c")
	l.set("me")
	ctx, end := context.WithCancel(t.Context())
	if err := p.Lead(ctx, 7); err != nil {
		t.Fatal(err)
	}
	var all []string
	for len(all) == 0 || all[len(all)-1] != "lead me" {
		h := a.next(t)
		all = append(all, h.event+" "+h.leader)
	}
	// A lead may overtake what came just before it, never the other way round.
	if got, order := strings.Join(all, ", "), "change b, change c, lead me"; !strings.HasSuffix(order, got) && got != "change b, lead me" {
		t.Errorf("the app heard %s", got)
	}
	p.Sees("me", true) // is told by Lead
	end()
	l.set("")
	if err := p.Stop(t.Context(), elector.ReasonHandover); err != nil {
		t.Fatal(err)
	}
	if h := a.next(t); h.event != "stop" || h.leader != "" {
		t.Errorf("then %+v", h)
	}
}

// The release follows Stop, so this is law 9(c).
func TestLaw09_StopReturnsWhenTheAppHasAccepted(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	p, _ := posts(t, a.URL, nil)
	a.next(t)
	taken, accept := make(chan struct{}), make(chan struct{})
	a.answers(func(heard) int { close(taken); <-accept; return http.StatusOK })
	done := make(chan error, 1)
	go func() { done <- p.Stop(t.Context(), elector.ReasonStopping) }()
	<-taken
	select {
	case err := <-done:
		t.Fatalf("Stop returned before the app had accepted: %v", err)
	default:
	}
	close(accept)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestLaw09_AnAppThatNeverAcceptsIsNoConfirmation(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(context.Context) int{
		"refuses":        func(context.Context) int { return http.StatusServiceUnavailable },
		"redirects":      func(context.Context) int { return http.StatusFound },
		"never answers":  func(ctx context.Context) int { <-ctx.Done(); return http.StatusOK },
		"is not like it": func(context.Context) int { return http.StatusNotFound },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			over, end := context.WithCancel(context.Background())
			t.Cleanup(end)
			p, _ := posts(t, a.URL, nil)
			a.next(t)
			a.answers(func(heard) int { return answer(over) })
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if err := p.Stop(ctx, elector.ReasonHandover); err == nil {
				t.Error("Stop confirms")
			}
		})
	}
}

// An app that never heard that it must stop is told again and again, and hears
// how much it missed.
func TestAStopThatWasNotAcceptedIsTriedUntilItIs(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	p, l := posts(t, a.URL, nil)
	a.next(t)
	var tries int
	a.answers(func(h heard) int {
		if h.event == EventStop {
			if tries++; tries < 4 {
				return http.StatusServiceUnavailable
			}
		}
		return http.StatusOK
	})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Stop(gone, elector.ReasonHandover); err == nil {
		t.Fatal("Stop confirms")
	}
	for range 4 {
		if h := a.next(t); h.event != EventStop || h.seq != "2" {
			t.Errorf("the app hears %+v", h)
		}
	}
	l.tell(p, "b")
	if h := a.next(t); h.event != EventChange || h.leader != "b" || h.seq != "3" {
		t.Errorf("then %+v", h)
	}
}

// An app that ends may close its port first and act on for a while.
func TestAClosedPortIsNoConfirmation(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	p, _ := posts(t, "http://"+l.Addr().String(), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := p.Stop(ctx, elector.ReasonStopping); err == nil {
		t.Error("nobody listens, and that counts as an answer")
	}
}

func TestAnAppThatIsKnownToBeFrozenIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	over, end := context.WithCancel(context.Background())
	t.Cleanup(end)
	deaf := true
	p, _ := posts(t, a.URL, func(c *PostConfig) { c.Deaf = func() bool { return deaf } })
	a.next(t)
	a.answers(func(heard) int { <-over.Done(); return http.StatusOK })
	if err := p.Stop(t.Context(), elector.ReasonUnfit); err != nil {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if p.Stop(ctx, elector.ReasonStopping) == nil {
		t.Error("for another reason it is not waited for either")
	}
	deaf = false
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if p.Stop(ctx, elector.ReasonUnfit) == nil {
		t.Error("an app that only says that it is not well is not waited for")
	}
}

func TestTheQueueIsBoundedAndWhatIsDroppedIsTold(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	held, release := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() { close(held); <-release })
	a.answers(func(heard) int { first(); return http.StatusOK })
	p, l := posts(t, a.URL, nil)
	<-held
	for i := range maxQueue + 5 {
		l.tell(p, strings.Repeat("x", i+1))
	}
	close(release)
	a.next(t)
	if h := a.next(t); h.missed != "5" || h.leader != "xxxxxx" || h.seq != "7" {
		t.Errorf("after five too many: %+v", h)
	}
	for i := range maxQueue - 1 {
		if h := a.next(t); h.missed != "0" || len(h.leader) != i+7 {
			t.Errorf("then %+v", h)
		}
	}
}

func TestAnAddressIsChecked(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"http://127.0.0.1:8080/leader": "", "http://:8080/": "", "https://[::1]/": "", "http://localhost:8080/x?secret": "",
		"https://app.music.svc/": "told in this pod", "http://192.0.2.1:8080/": "not an address of this pod",
		"ftp://x/": "must begin with http", "music": "must begin with http", "http://u:p@x/": "user name",
		"http://x/#f": "fragment", "http://%zz/": "cannot be read",
	} {
		err := (&PostConfig{URL: url}).Validate()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), ":p@") {
			t.Errorf("%q: the password is shown", url)
		}
	}
}

// An app ignores what is older than what it has heard, and must not take the
// first news of a new process of ours for that.
func TestTheSequenceGoesOnWhenTheSidecarIsRestarted(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	p, l := posts(t, a.URL, nil)
	a.next(t)
	for i := range maxQueue {
		l.tell(p, fmt.Sprint(i))
		a.next(t)
	}
	posts(t, a.URL, nil)
	if h := a.next(t); h.event != EventStop {
		t.Errorf("the new process tells %+v first", h)
	} else if seq, err := strconv.ParseUint(h.seq, 10, 63); err != nil || seq <= maxQueue+1 {
		t.Errorf("the new process begins with %s, after %d", h.seq, maxQueue+1)
	}
}

// What follows the lead after the app must find that it knows.
func TestLeadReturnsWhenTheAppHasAccepted(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	p, _ := posts(t, a.URL, nil)
	a.next(t)
	taken, accept := make(chan struct{}), make(chan struct{})
	a.answers(func(h heard) int {
		if h.event == EventLead {
			close(taken)
			<-accept
		}
		return http.StatusOK
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.Lead(t.Context(), 7); err != nil {
			t.Error(err)
		}
	}()
	<-taken
	select {
	case <-done:
		t.Error("Lead returned before the app had accepted")
	case <-time.After(50 * time.Millisecond): // long enough for one that does not wait
	}
	close(accept)
	<-done
}

// When trust is over, the app has a margin to stop in; what else must stop
// before may take longer than that.
func TestTheEndIsToldAtOnceAndNotWhenTheRestHasStopped(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	p, _ := posts(t, a.URL, nil)
	a.next(t)
	ctx, end := context.WithCancel(t.Context())
	if err := p.Lead(ctx, 7); err != nil {
		t.Fatal(err)
	}
	a.next(t)
	end()
	first := a.next(t)
	if first.event != EventStop {
		t.Errorf("the app hears %+v", first)
	}
	if err := p.Stop(t.Context(), elector.ReasonExpired); err != nil {
		t.Error(err)
	}
	select {
	case h := <-a.heard:
		t.Errorf("the end is told twice: %+v", h)
	default:
	}
}

// fits is a Fit that a test can wait for.
type fits chan string

func (f fits) hear(fit bool, reason string) { f <- reason }

// becomes waits for the next fitness; empty: fit.
func (f fits) becomes(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-f:
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("it is unfit for %q, want %q", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("it never became unfit for %q", want)
	}
}

func TestNobodyLeadsBeforeTheAppHasAcceptedThatItDoesNot(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.answers(func(heard) int { return http.StatusServiceUnavailable })
	fit := make(fits, 10)
	p, _ := posts(t, a.URL, func(c *PostConfig) { c.Fit = fit.hear })
	a.next(t)
	a.next(t)
	if len(fit) > 0 {
		t.Error("it is fit to lead an app that has accepted nothing")
	}
	if why := p.Posting(); !strings.Contains(why.Unfit, unheard) || !strings.Contains(why.LastError, "503") {
		t.Errorf("it shows %+v", why)
	}
	a.answers(nil)
	fit.becomes(t, "")
	a.answers(func(heard) int { return http.StatusServiceUnavailable })
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if p.Stop(gone, elector.ReasonHandover) == nil {
		t.Error("Stop confirms")
	}
	fit.becomes(t, unheard)
	a.answers(nil)
	fit.becomes(t, "")
}

// An app that refuses the lead is no candidate for a while: the lead stays where
// it is taken.
func TestAnAppThatRefusesTheLeadIsNotAskedAgainAtOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	fit := make(fits, 10)
	p, _ := posts(t, a.URL, func(c *PostConfig) { c.Fit, c.Patience = fit.hear, 300*time.Millisecond })
	fit.becomes(t, "")
	a.answers(func(h heard) int {
		if h.event == EventLead {
			return http.StatusConflict
		}
		return http.StatusOK
	})
	ctx, end := context.WithCancel(t.Context())
	if err := p.Lead(ctx, 7); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("Lead returns %v", err)
	}
	fit.becomes(t, "did not accept that it leads: it answers 409")
	end()
	if err := p.Stop(t.Context(), elector.ReasonUnfit); err != nil {
		t.Errorf("the app accepts the end: %v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if left := time.Until(p.pause); left < firstPause/2 || left > firstPause {
		t.Errorf("it may lead again in %v", left)
	}
}

// Between the lock's news of our lead and Lead the app would act for a lead whose
// end nobody waits for, if that comes first.
func TestNoChangeTellsTheAppThatItLeads(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	p, l := posts(t, a.URL, nil)
	a.next(t)
	l.set("me")
	p.Sees("b", false) // what was seen a moment ago
	l.tell(p, "c")
	if h := a.next(t); h.event != EventChange || h.leader != "c" {
		t.Errorf("the app hears %+v", h)
	}
}

func TestNoConnectionLeavesThePodWhateverANameResolvesTo(t *testing.T) {
	t.Parallel()
	p, err := NewPost(PostConfig{URL: "http://127.0.0.1:1", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.client.Get("http://192.0.2.1/"); err == nil || !strings.Contains(err.Error(), "not an address of this pod") {
		t.Errorf("it connects to another one: %v", err)
	}
}
