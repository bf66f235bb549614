package health

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestAKilledAppIsSeenByTheEndOfItsConnectionAndNotByTheInterval(t *testing.T) {
	for _, scheme := range []string{"http", "tcp"} {
		t.Run(scheme, func(t *testing.T) {
			a := launch(t, "127.0.0.1:0")
			// Only the held connection can tell before the test ends.
			w := watch(t, Config{Checks: []string{scheme + "://" + a.address}, Interval: time.Hour, Fall: 5})
			w.until(true)
			a.signal(syscall.SIGKILL)
			if reason := w.until(false); !strings.Contains(reason, "refused") {
				t.Errorf("the reason is %q", reason)
			}
			if told := w.told(); len(told) > 1 && !slices.Equal(told, []string{"true", "false"}) {
				t.Errorf("it told %v", told)
			}
		})
	}
}

func TestAnAppThatComesBackIsFitAgain(t *testing.T) {
	a := launch(t, "127.0.0.1:0")
	w := watch(t, Config{Checks: []string{"http://" + a.address}, Interval: 20 * time.Millisecond})
	w.until(true)
	a.signal(syscall.SIGKILL)
	w.until(false)
	a.cmd.Wait()
	launch(t, a.address)
	w.until(true)
}

func TestAFrozenAppIsSeenByTimeOutsAndIsFitWhenItWakes(t *testing.T) {
	a := launch(t, "127.0.0.1:0")
	w := watch(t, Config{Checks: []string{"http://" + a.address}, Interval: 10 * time.Millisecond, Timeout: 300 * time.Millisecond})
	w.until(true)
	a.signal(syscall.SIGSTOP)
	if reason := w.until(false); !strings.Contains(reason, "no answer in time") {
		t.Errorf("the reason is %q", reason)
	}
	a.signal(syscall.SIGCONT)
	w.until(true)
}

// TestAServerOfOneConnectionAtATimeIsNotDisturbed holds a connection to a server
// that serves it until it ends, so that checks wait behind it.
func TestAServerOfOneConnectionAtATimeIsNotDisturbed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var served, silent atomic.Int32
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 4096)
			if n, _ := conn.Read(buf); n == 0 {
				silent.Add(1)
			} else {
				served.Add(1)
				fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			}
			conn.Close()
		}
	}()
	w := watch(t, Config{Checks: []string{"http://" + l.Addr().String()}, Interval: 10 * time.Millisecond, Timeout: 500 * time.Millisecond})
	w.until(true)
	before := served.Load()
	eventually(t, "ten checks after the held connection was dropped", func() bool { return served.Load() > before+10 })
	if told := w.told(); !slices.Equal(told, []string{"true"}) {
		t.Errorf("it told %v; the app was well all the time", told)
	}
	if n := silent.Load(); n != 1 {
		t.Errorf("%d connections were held; one is enough to learn that none should be", n)
	}
}

func TestAServerThatClosesIdleConnectionsIsNotFlooded(t *testing.T) {
	var conns, asked atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	s.Config.ReadHeaderTimeout = time.Millisecond // it ends what says nothing
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	w := watch(t, Config{Checks: []string{s.URL}, Interval: 50 * time.Millisecond})
	w.until(true)
	begun := time.Now()
	eventually(t, "twenty checks", func() bool { return asked.Load() >= 20 })
	spans := int32(time.Since(begun)/(50*time.Millisecond)) + 2
	if checks, all := asked.Load(), conns.Load(); all > 2*checks || checks > 2*spans+2 {
		t.Errorf("%d connections and %d checks in %d intervals", all, checks, spans)
	}
}

func TestItTakesFallFailuresInARowAndRiseSuccesses(t *testing.T) {
	script := []int{200, 200, 500, 200, 500, 500, 200, 200, 503, 399, 199 + 1}
	var at atomic.Int32
	var w *watched
	var mu sync.Mutex
	var seen []bool // the verdict while each check was asked
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if i := int(at.Add(1)) - 1; i < len(script) {
			fit, _ := w.Verdict()
			seen = append(seen, fit)
			rw.WriteHeader(script[i])
		}
	}))
	t.Cleanup(s.Close)
	mu.Lock()
	w = watch(t, Config{Checks: []string{s.URL}, Interval: time.Millisecond, Rise: 2, Fall: 2, NoHold: true, Timeout: 10 * time.Second})
	mu.Unlock()
	eventually(t, "the script's end", func() bool { return int(at.Load()) > len(script) })
	mu.Lock()
	defer mu.Unlock()
	want := []bool{false, false, true, true, true, true, false, false, true, true, true}
	if !slices.Equal(seen, want) {
		t.Errorf("before each answer of %v fit was\n%v, want\n%v", script, seen, want)
	}
}

func TestARefusedConnectionIsEnoughAlone(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	w := watch(t, Config{Checks: []string{"tcp://" + s.Listener.Addr().String()}, Interval: time.Millisecond, Fall: 1 << 30, NoHold: true})
	w.until(true)
	s.Close()
	w.until(false)
}

func TestAStartingAppIsNotFitAndThenUnfit(t *testing.T) {
	var up atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			w.WriteHeader(503)
		}
	}))
	t.Cleanup(s.Close)
	patient := watch(t, Config{Checks: []string{s.URL}, Interval: time.Millisecond})
	hasty := watch(t, Config{Checks: []string{s.URL}, Interval: time.Millisecond, StartWait: time.Millisecond})
	eventually(t, "the hasty one being unfit", func() bool { return hasty.Checks()[0].State == Unfit })
	eventually(t, "the patient one having been checked", func() bool { return patient.Checks()[0].Reason != "" })
	if c := patient.Checks()[0]; c.State != Starting || !strings.Contains(c.Reason, "503") {
		t.Errorf("the patient one is %+v", c)
	}
	if fit, reason := patient.Verdict(); fit || !strings.HasPrefix(reason, "starting: ") {
		t.Errorf("it is fit %v, %q", fit, reason)
	}
	up.Store(true)
	patient.until(true)
	hasty.until(true)
}

func TestAllChecksMustHold(t *testing.T) {
	well := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(well.Close)
	path := filepath.Join(t.TempDir(), "alive")
	w := watch(t, Config{Checks: []string{well.URL, "file://" + path}, Interval: time.Millisecond})
	eventually(t, "the first check holding", func() bool { return w.Checks()[0].State == Fit })
	if fit, _ := w.Verdict(); fit {
		t.Error("it is fit, and one check has never held")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.until(true)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if reason := w.until(false); !strings.Contains(reason, path) {
		t.Errorf("the reason is %q", reason)
	}
}

func TestAHangingAppGetsOneCheckAtATime(t *testing.T) {
	var now, most, all atomic.Int32
	free := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		all.Add(1)
		select {
		case <-r.Context().Done():
		case <-free:
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(free) })
	watch(t, Config{Checks: []string{s.URL}, Interval: 20 * time.Millisecond, Timeout: 20 * time.Millisecond})
	eventually(t, "ten checks", func() bool { return all.Load() >= 10 })
	// The server hears of the end of a connection a little later than we do.
	if most.Load() > 2 {
		t.Errorf("%d checks were under way at once", most.Load())
	}
}

func TestAnEndlessBodyIsNotRead(t *testing.T) {
	var sent atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		block := make([]byte, 64<<10)
		for r.Context().Err() == nil {
			n, err := w.Write(block)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	w := watch(t, Config{Checks: []string{s.URL}, Interval: time.Hour, Timeout: 10 * time.Second})
	w.until(true)
	if n := sent.Load(); n > 64<<20 {
		t.Errorf("%d bytes were read", n)
	}
}

func TestARedirectIsAnAnswerAndIsNotFollowed(t *testing.T) {
	var other atomic.Int32
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { other.Add(1) }))
	t.Cleanup(away.Close)
	s := httptest.NewServer(http.RedirectHandler(away.URL, http.StatusFound))
	t.Cleanup(s.Close)
	watch(t, Config{Checks: []string{s.URL}}).until(true)
	if other.Load() != 0 {
		t.Error("the redirect was followed")
	}
}

func TestACertificateIsNotVerified(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	watch(t, Config{Checks: []string{s.URL}}).until(true)
}

func TestAFileMayBeTooOld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alive")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		touched time.Duration // ago
		query   string
		fit     bool
	}{
		{time.Hour, "", true}, {time.Hour, "?max-age=2h", true}, {time.Hour, "?max-age=59m", false}, {-time.Hour, "?max-age=1s", true},
	} {
		when := time.Now().Add(-c.touched)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		p, err := parse("file://" + path + c.query)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.ask(t.Context()); (err == nil) != c.fit {
			t.Errorf("touched %v ago, %q: %v", c.touched, c.query, err)
		}
	}
}

func TestFaultsOfTheConfigurationAreToldAtOnce(t *testing.T) {
	cfg := Config{
		Checks: []string{"ftp://x", "127.0.0.1:80", "http://user:secret@h/?token=secret", "tcp://h", "tcp://h:1/path", "file://host/path",
			"file:///x?max-age=never", "file:///x?age=3s", "http://h/#part", "http://h:port/"},
		Interval: -1, Timeout: -1, Rise: -1, Fall: -1, StartWait: -1,
	}
	err := cfg.Validate()
	if err == nil {
		t.Fatal("all of it is valid")
	}
	if n := len(strings.Split(err.Error(), "\n")); n != len(cfg.Checks)+5 {
		t.Errorf("%d faults, want %d:\n%v", n, len(cfg.Checks)+5, err)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("it tells a secret:\n%v", err)
	}
	for _, good := range []string{"http://:8080/x?token=1", "https://127.0.0.1", "tcp://:5432", "file:///x", "http://[::1]:80/"} {
		if err := (&Config{Checks: []string{good}}).Validate(); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

func TestAQueryIsNotShown(t *testing.T) {
	w := watch(t, Config{Checks: []string{"http://127.0.0.1:1/x?token=secret"}, Interval: time.Millisecond, StartWait: time.Millisecond})
	eventually(t, "a failure", func() bool { return w.Checks()[0].State == Unfit })
	if _, reason := w.Verdict(); strings.Contains(fmt.Sprint(w.Checks(), reason), "secret") {
		t.Errorf("%+v, %q", w.Checks(), reason)
	}
}

func TestOnlyAnAppThatIsDeadOrFrozenIsDeaf(t *testing.T) {
	a := launch(t, "127.0.0.1:0")
	_, port, _ := net.SplitHostPort(a.address)
	w := watch(t, Config{Checks: []string{"http://" + a.address}, Interval: 10 * time.Millisecond, Timeout: 300 * time.Millisecond})
	w.until(true)
	if w.Deaf(a.address) {
		t.Error("an app that is well is deaf")
	}
	a.signal(syscall.SIGSTOP)
	w.until(false)
	if !w.Deaf("localhost:" + port) {
		t.Error("a frozen app is not deaf")
	}
	a.signal(syscall.SIGCONT)
	w.until(true)
	a.signal(syscall.SIGKILL)
	w.until(false)
	if !w.Deaf(a.address) {
		t.Error("a dead app is not deaf")
	}
	if w.Deaf("127.0.0.1:1") {
		t.Error("another program than the one that is checked is deaf")
	}
}

func TestAnAppThatAnswersAnErrorIsNotDeaf(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	t.Cleanup(s.Close)
	w := watch(t, Config{Checks: []string{s.URL}, Interval: 10 * time.Millisecond, StartWait: time.Nanosecond})
	eventually(t, "the check is unfit", func() bool { return w.Checks()[0].State == Unfit })
	if w.Deaf(strings.TrimPrefix(s.URL, "http://")) {
		t.Error("it is deaf, although it may act")
	}
}
