// Package testplane gives tests a real kube-apiserver. It talks to the program
// of test/controlplane instead of importing it, so that whoever imports this
// module does not have to resolve that one (docs/adr/0003).
package testplane

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// Plane is a real etcd and kube-apiserver.
type Plane struct {
	Server     string `json:"server"`
	CAFile     string `json:"caFile"`
	AdminCert  string `json:"adminCert"`
	AdminKey   string `json:"adminKey"`
	Kubeconfig string `json:"kubeconfig"` // of the administrator
	Programs   string `json:"programs"`
	Door       string `json:"door"`

	admin *http.Client
	// stop is kept because it holds the plane's standard input: once that is
	// garbage, its finalizer closes it, and the plane ends under the tests.
	stop func()
}

// Candidate says who takes part in which election, and with which rights.
type Candidate struct {
	Namespace string   `json:"namespace"`
	Pod       string   `json:"pod"`
	Election  string   `json:"election"`
	Lock      string   `json:"lock,omitempty"`     // "leases" (default), "endpoints" or "endpoints+leases"
	Service   string   `json:"service,omitempty"`  // with the Role for this Service's endpoint slices too
	Labels    bool     `json:"labels,omitempty"`   // with the Role for label routing, and its pod labelled as one of the election
	Events    bool     `json:"events,omitempty"`   // with the Role for Kubernetes Events too
	Without   []string `json:"without,omitempty"`  // verbs left out of the shipped Roles
	Lifetime  int      `json:"lifetime,omitempty"` // of the token, in seconds; default 3600, at least 600
	Server    string   `json:"server,omitempty"`   // another way to the API server, such as a faulty forwarder
}

// Credentials are those of a candidate's pod. The token is bound to a pod object.
type Credentials struct {
	Server     string `json:"server"`
	CAFile     string `json:"caFile"`
	Token      string `json:"token"`
	TokenFile  string `json:"tokenFile"`
	Kubeconfig string `json:"kubeconfig"`
	PodUID     string `json:"podUID"`
}

var (
	shared     *Plane
	sharedErr  error
	sharedOnce sync.Once
)

// Get is the plane that all tests of this process share: the one that
// LEADER_ELECTOR_TEST_PLANE describes, or one of this process's own, which ends
// with it.
func Get(tb testing.TB) *Plane {
	tb.Helper()
	sharedOnce.Do(func() {
		if path := os.Getenv("LEADER_ELECTOR_TEST_PLANE"); path != "" {
			shared, sharedErr = attach(path)
			return
		}
		shared, _, sharedErr = serve()
	})
	if sharedErr != nil {
		tb.Fatalf("no control plane: %v", sharedErr)
	}
	return shared
}

// Own is a plane for one test alone, which may freeze and kill its programs.
func Own(tb testing.TB) *Plane {
	tb.Helper()
	p, stop, err := serve()
	if err != nil {
		tb.Fatalf("no control plane: %v", err)
	}
	tb.Cleanup(stop)
	return p
}

func attach(path string) (*Plane, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("LEADER_ELECTOR_TEST_PLANE names a plane that has ended (unset it): %w", err)
	}
	return open(data)
}

// serve starts a plane that ends when stop is called, or when this process
// ends: it lives as long as its standard input is open, which the kernel closes.
func serve() (*Plane, func(), error) {
	_, file, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(file), "..", "..", "test", "controlplane")
	bin, err := os.MkdirTemp("", "leader-elector-testplane-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(bin) // the kernel keeps the program that runs
	program := filepath.Join(bin, "controlplane")
	if out, err := exec.Command("go", "build", "-C", dir, "-buildvcs=false", "-o", program, "./cmd/controlplane").CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("building test/controlplane: %w\n%s", err, out)
	}
	cmd := exec.Command(program, "serve")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop := func() {
		stdin.Close()
		cmd.Wait()
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("the control plane did not start: %w", err)
	}
	p, err := open(line)
	if err != nil {
		stop()
		return nil, nil, err
	}
	p.stop = stop
	return p, stop, nil
}

func open(description []byte) (*Plane, error) {
	p := &Plane{}
	if err := json.Unmarshal(description, p); err != nil {
		return nil, err
	}
	cert, err := tls.LoadX509KeyPair(p.AdminCert, p.AdminKey)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(p.CAFile)
	if err != nil {
		return nil, err
	}
	roots.AppendCertsFromPEM(pem)
	p.admin = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}}}}
	return p, nil
}

// order sends one line to the plane's door.
func (p *Plane) order(order, reply any) error {
	conn, err := net.Dial("unix", p.Door)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := json.NewEncoder(conn).Encode(order); err != nil {
		return err
	}
	var answer json.RawMessage
	if err := json.NewDecoder(conn).Decode(&answer); err != nil {
		return err
	}
	var failed struct{ Error string }
	if err := json.Unmarshal(answer, &failed); err != nil {
		return err
	}
	if failed.Error != "" {
		return fmt.Errorf("the control plane: %s", failed.Error)
	}
	if reply == nil {
		return nil
	}
	return json.Unmarshal(answer, reply)
}

// Namespace makes a namespace for this test alone. It ends with the plane:
// without a controller-manager, its deletion would remove nothing in it.
func (p *Plane) Namespace(tb testing.TB) string {
	tb.Helper()
	var reply struct{ Namespace string }
	if err := p.order(map[string]string{"do": "namespace"}, &reply); err != nil {
		tb.Fatal(err)
	}
	return reply.Namespace
}

// Join makes a candidate's service account with the Role that we ship, its pod
// object, and a token bound to it. Joining again with other rights replaces them.
func (p *Plane) Join(tb testing.TB, c Candidate) Credentials {
	tb.Helper()
	var reply struct{ Credentials Credentials }
	if err := p.order(map[string]any{"do": "candidate", "candidate": c}, &reply); err != nil {
		tb.Fatal(err)
	}
	return reply.Credentials
}

// Pause freezes "etcd" or "kube-apiserver"; Resume, Kill and Start are alike.
// Start returns once the API server is ready, or at once if that is still to be
// started. Only for a plane from Own.
func (p *Plane) Pause(tb testing.TB, program string)  { tb.Helper(); p.handle(tb, "pause", program) }
func (p *Plane) Resume(tb testing.TB, program string) { tb.Helper(); p.handle(tb, "resume", program) }
func (p *Plane) Kill(tb testing.TB, program string)   { tb.Helper(); p.handle(tb, "kill", program) }
func (p *Plane) Start(tb testing.TB, program string)  { tb.Helper(); p.handle(tb, "start", program) }

func (p *Plane) handle(tb testing.TB, do, program string) {
	tb.Helper()
	if err := p.order(map[string]string{"do": do, "program": program}, nil); err != nil {
		tb.Fatal(err)
	}
}

// Do sends one request as the administrator and returns the answer's status
// and body. body is JSON, or nil.
func (p *Plane) Do(tb testing.TB, method, path string, body []byte) (int, []byte) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, p.Server+path, bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := p.admin.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, data
}
