package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// private is the memory in MiB that only this process has (RssAnon).
func (k *process) private(t *testing.T) float64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", k.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "RssAnon:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return float64(kib) / 1024
}

// abuses are what whoever reaches the port can do to it. Each goes on until ctx
// is done, and may be cut off at any time.
var abuses = map[string]func(ctx context.Context, conn net.Conn){
	"says nothing": func(ctx context.Context, conn net.Conn) { <-ctx.Done() },
	"sends a header byte by byte": func(ctx context.Context, conn net.Conn) {
		text := "GET /leader HTTP/1.1\r\nHost: x\r\nX-Slow: "
		for i := 0; ctx.Err() == nil; i++ {
			if _, err := io.WriteString(conn, string(text[min(i, len(text)-1)])); err != nil {
				return
			}
			pause(ctx, 50*time.Millisecond)
		}
	},
	"sends a body without an end": func(ctx context.Context, conn net.Conn) {
		fmt.Fprint(conn, "POST /step-down HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
		for ctx.Err() == nil {
			if _, err := fmt.Fprintf(conn, "1000\r\n%s\r\n", strings.Repeat("x", 0x1000)); err != nil {
				return
			}
		}
	},
	"pipelines and never reads": func(ctx context.Context, conn net.Conn) {
		for ctx.Err() == nil {
			if _, err := io.WriteString(conn, strings.Repeat("GET /status HTTP/1.1\r\nHost: x\r\n\r\n", 64)); err != nil {
				return
			}
		}
	},
	"pipelines and reads": func(ctx context.Context, conn net.Conn) {
		answers := bufio.NewReader(conn)
		for ctx.Err() == nil {
			if _, err := io.WriteString(conn, strings.Repeat("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 8)); err != nil {
				return
			}
			for range 8 {
				resp, err := http.ReadResponse(answers, nil)
				if err != nil {
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			pause(ctx, 20*time.Millisecond)
		}
	},
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// abuse keeps n clients of each kind at it; whoever is cut off comes back.
func (k *process) abuse(ctx context.Context, n int) *sync.WaitGroup {
	var all sync.WaitGroup
	for _, act := range abuses {
		for range n {
			all.Go(func() {
				for ctx.Err() == nil {
					if conn, err := net.Dial("tcp", strings.TrimPrefix(k.url, "http://")); err == nil {
						conn.SetDeadline(time.Now().Add(10 * time.Second))
						free := context.AfterFunc(ctx, func() { conn.Close() })
						act(ctx, conn)
						free()
						conn.Close()
					}
					pause(ctx, 100*time.Millisecond)
				}
			})
		}
	}
	return &all
}

// shipped is the program as it is built for users. The tests' own is built for the
// race detector, which takes several times the memory.
func shipped(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "leader-elector")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", exe, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return exe
}

// Whoever reaches the port can make its answers late, but cannot end a lead,
// make one longer, or use up the machine's memory.
func TestAbuseOfThePortNeitherEndsALeadNorGrows(t *testing.T) {
	p := testplane.Get(t)
	exe, ns := shipped(t), p.Namespace(t)
	candidate := func(name string, args ...string) *process {
		c := testplane.Candidate{Namespace: ns, Pod: name, Election: "music"}
		return start(t, exe, c, nil, append([]string{"--id=" + name, "--kubeconfig=" + p.Join(t, c).Kubeconfig}, args...))
	}
	a := candidate("a", "--new-lock=immediate")
	eventually(t, "a leading", a.leads)
	b := candidate("b")
	eventually(t, "b knowing a", func() bool { return b.names("a") })
	term := *a.status(t).Term
	ctx, stop := context.WithCancel(context.Background())
	all := a.abuse(ctx, 200)
	defer all.Wait()
	defer stop()
	most := 0.0
	for began := time.Now(); time.Since(began) < 12*time.Second; { // three leases
		most = max(most, a.private(t))
		if b.leads() {
			t.Fatal("the standby took over")
		}
		a.lives(t)
		pause(ctx, 100*time.Millisecond)
	}
	stop()
	all.Wait()
	s := a.status(t)
	if !s.IsLeader || s.Term == nil || *s.Term != term {
		t.Errorf("after the abuse it leads: %v, term %v; want the lead of term %s to have gone on", s.IsLeader, s.Term, term)
	}
	t.Logf("%d clients, at most %.1f MiB private", 200*len(abuses), most)
	if most > 32 {
		t.Errorf("it took %.1f MiB of private memory", most)
	}
}
