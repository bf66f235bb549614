package fencing

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/testplane"
	"github.com/leader-elector/leader-elector/test/interop"
)

// What makes the test binary a leader that writes.
const (
	asWriter = "TEST_AS_WRITER" // its name
	inStore  = "TEST_STORE"     // "postgres", "object" or "http"
	unfenced = "TEST_UNFENCED"
	held     = "TEST_HELD" // it waits within the transaction, not before it
)

func TestMain(m *testing.M) {
	if name := os.Getenv(asWriter); name != "" {
		if err := write(context.Background(), name); err != nil {
			fmt.Println("fault:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// write is that process: it leads, says its term, waits for a line (in which
// time it may be frozen), and writes its name for that term, without asking
// again whether it leads.
func write(ctx context.Context, name string) error {
	cfg, err := clientcmd.BuildConfigFromFlags("", os.Getenv("TEST_KUBECONFIG"))
	if err != nil {
		return err
	}
	server, newClient, err := interop.RESTConfig(cfg)
	if err != nil {
		return err
	}
	led := make(chan elector.Term, 1)
	e, err := elector.New(elector.Config{
		Election: "store", Namespace: os.Getenv("TEST_NAMESPACE"), ID: name, TTL: 4 * time.Second, NewLock: "immediate", Server: server, NewClient: newClient,
		Follower: elector.Work(func(ctx context.Context, term elector.Term) error { led <- term; <-ctx.Done(); return nil }),
	})
	if err != nil {
		return err
	}
	go e.Run(ctx)
	term := <-led
	fmt.Println("leads", term)
	wait := func() error { _, err := bufio.NewReader(os.Stdin).ReadString('\n'); return err }
	if os.Getenv(held) == "" {
		if err := wait(); err != nil {
			return err
		}
		wait = func() error { return nil }
	}
	switch err := put(ctx, name, term, wait); {
	case errors.Is(err, ErrFenced):
		fmt.Println("fenced:", err)
	case err != nil:
		fmt.Println("fault:", err)
	default:
		fmt.Println("written")
	}
	return nil
}

// put writes, fenced or not. It calls within where a transaction is open.
func put(ctx context.Context, name string, term elector.Term, within func() error) error {
	free := os.Getenv(unfenced) != ""
	switch os.Getenv(inStore) {
	case "postgres":
		db, err := pgx.Connect(ctx, os.Getenv("TEST_POSTGRES"))
		if err != nil {
			return err
		}
		defer db.Close(ctx)
		set := func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `UPDATE song SET player = $1`, name); err != nil {
				return err
			}
			if os.Getenv(held) != "" {
				fmt.Println("within")
			}
			return within()
		}
		if free {
			return pgx.BeginFunc(ctx, db, set)
		}
		return Fenced(ctx, db, "store", term, set)
	case "object":
		if free {
			term = 1 << 62
		}
		cfg, err := clientcmd.BuildConfigFromFlags("", os.Getenv("TEST_ADMIN"))
		if err != nil {
			return err
		}
		objects := kubernetes.NewForConfigOrDie(cfg).CoreV1().ConfigMaps(os.Getenv("TEST_NAMESPACE"))
		return Change(ctx, objects, "song", term, func(o *corev1.ConfigMap) { o.Data = map[string]string{"player": name} })
	case "http":
		if free {
			term = 1 << 62
		}
		return Put(ctx, os.Getenv("TEST_URL"), term, name)
	}
	return errors.New("there is no such store")
}

// writer is such a process, from outside.
type writer struct {
	cmd   *exec.Cmd
	in    *os.File
	lines *bufio.Scanner
}

func starts(t *testing.T, p *testplane.Plane, ns, name string, env ...string) *writer {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	creds := p.Join(t, testplane.Candidate{Namespace: ns, Pod: name, Election: "store"})
	w := &writer{cmd: exec.Command(exe)}
	w.cmd.Env = append(append(os.Environ(), asWriter+"="+name, "TEST_NAMESPACE="+ns, "TEST_KUBECONFIG="+creds.Kubeconfig), env...)
	w.cmd.Stderr = os.Stderr
	r, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.cmd.Stdin, w.in = r, in
	out, err := w.cmd.StdoutPipe()
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	w.lines = bufio.NewScanner(out)
	t.Cleanup(func() {
		in.Close()
		w.cmd.Process.Kill()
		w.cmd.Wait()
	})
	return w
}

func (w *writer) says(t *testing.T) string {
	t.Helper()
	if !w.lines.Scan() {
		t.Fatal("the process ended")
	}
	return w.lines.Text()
}

func (w *writer) leads(t *testing.T) (term uint64) {
	t.Helper()
	if _, err := fmt.Sscanf(w.says(t), "leads %d", &term); err != nil {
		t.Fatal(err)
	}
	return term
}

func (w *writer) send(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := w.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func (w *writer) goOn() { fmt.Fprintln(w.in) }

// serve starts the HTTP store.
func serve(t *testing.T) (url string) {
	t.Helper()
	s := &http.Server{Handler: &Store{}}
	l := listen(t)
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return "http://" + l.Addr().String() + "/song"
}
