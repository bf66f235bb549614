package health

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asApp makes this test's program an app that answers on a port.
const asApp = "HEALTH_TEST_APP"

func TestMain(m *testing.M) {
	if os.Getenv(asApp) != "" {
		l, err := net.Listen("tcp", os.Getenv(asApp))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(l.Addr())
		http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "well") }))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// app is a process that can be killed and frozen.
type app struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
}

func launch(t *testing.T, address string) *app {
	t.Helper()
	a := &app{t: t, cmd: exec.Command(os.Args[0])}
	a.cmd.Env = append(os.Environ(), asApp+"="+address)
	a.cmd.Stderr = os.Stderr
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.cmd.Process.Kill(); a.cmd.Wait() })
	line, _, err := bufio.NewReader(out).ReadLine()
	if err != nil {
		t.Fatalf("the app does not say where it listens: %v", err)
	}
	a.address = string(line)
	return a
}

func (a *app) signal(sig syscall.Signal) {
	if err := a.cmd.Process.Signal(sig); err != nil {
		a.t.Fatal(err)
	}
}

// watched is a monitor that runs until the test ends.
type watched struct {
	*Monitor
	t   *testing.T
	mu  sync.Mutex
	all []string // what was told, in order
}

func watch(t *testing.T, cfg Config) *watched {
	t.Helper()
	w := &watched{t: t}
	cfg.Changed = func(fit bool, reason string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.all = append(w.all, fmt.Sprint(fit))
	}
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Monitor = m
	ctx := t.Context()
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx) }()
	t.Cleanup(func() { <-done })
	return w
}

func (w *watched) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.all...)
}

// until waits for a verdict.
func (w *watched) until(fit bool) (reason string) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("fit is %v", fit), func() bool {
		f, r := w.Verdict()
		reason = r
		return f == fit
	})
	return reason
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("it never happened: %s", what)
}
