// Package controlplane runs a real etcd and kube-apiserver, built from their Go
// modules, for tests, the demo and the benchmarks. It needs no root and no
// network but loopback.
package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Options of Start. The zero value is a plane on loopback for tests.
type Options struct {
	// Dir holds data, certificates and logs. Empty: a temporary folder, which
	// Stop removes.
	Dir string
	// Address is where the API server listens. Empty: 127.0.0.1.
	Address string
	// Hosts are further names and addresses of the API server's certificate.
	Hosts []string
	// APIServerArgs are added to the API server's arguments; a later flag wins.
	APIServerArgs []string
	// Progress is told what takes long. Nil: nobody is.
	Progress io.Writer
}

// Plane is a running control plane.
type Plane struct {
	Dir       string
	Server    string // URL of the API server
	CAFile    string
	AdminCert string // in group system:masters
	AdminKey  string
	Authority *Authority
	Programs  string // the folder of the built programs

	Etcd      *Process
	APIServer *Process

	admin *http.Client
	owner *os.File // set if Dir is a temporary folder, which Stop removes
}

// tries is how often a start is tried with other ports: a free port can be
// taken by somebody else before the program binds it.
const tries = 3

// errEnded says that a program ended by itself while the plane was starting, as
// it does when its port is taken.
var errEnded = errors.New("ended at its start")

// Start builds what is missing and starts a plane. It is ready when it returns.
func Start(ctx context.Context, opt Options) (*Plane, error) {
	if opt.Progress == nil {
		opt.Progress = io.Discard
	}
	if opt.Address == "" {
		opt.Address = "127.0.0.1"
	}
	programs, err := Build(ctx, opt.Progress, "etcd", "kube-apiserver")
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		p, err := start(ctx, opt, programs)
		if err == nil {
			return p, nil
		}
		if try == tries || !errors.Is(err, errEnded) {
			return nil, err
		}
		fmt.Fprintf(opt.Progress, "trying again with other ports: %v\n", err)
	}
}

func start(ctx context.Context, opt Options, programs string) (_ *Plane, err error) {
	p := &Plane{Dir: opt.Dir, Programs: programs}
	if p.Dir == "" {
		p.Dir, p.owner, err = newScratch()
	} else {
		err = os.MkdirAll(p.Dir, 0o700)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Stop())
		}
	}()
	ports, err := freePorts(opt.Address, 3)
	if err != nil {
		return p, err
	}
	if err := p.prepare(opt, ports); err != nil {
		return p, err
	}
	if err := p.Etcd.Start(); err != nil {
		return p, err
	}
	if err := p.APIServer.Start(); err != nil {
		return p, err
	}
	return p, p.WaitReady(ctx)
}

// prepare writes the certificates and says how the two programs are called.
func (p *Plane) prepare(opt Options, ports []string) error {
	ca, err := newAuthority(p.Dir)
	if err != nil {
		return err
	}
	p.Authority, p.CAFile = ca, ca.CA()
	hosts := append([]string{opt.Address, "127.0.0.1", "localhost", "10.0.0.1", "kubernetes.default.svc"}, opt.Hosts...)
	cert, key, err := ca.Issue("apiserver", "kube-apiserver", nil, hosts)
	if err != nil {
		return err
	}
	if p.AdminCert, p.AdminKey, err = ca.Issue("admin", "admin", []string{"system:masters"}, nil); err != nil {
		return err
	}
	saPublic, saPrivate, err := ca.signingKey()
	if err != nil {
		return err
	}
	client, peer := "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1]
	p.Server = "https://" + net.JoinHostPort(opt.Address, ports[2])
	p.Etcd = p.process("etcd",
		"--name=default", "--data-dir="+filepath.Join(p.Dir, "etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer)
	p.APIServer = p.process("kube-apiserver", append([]string{
		"--etcd-servers=" + client, "--bind-address=" + opt.Address, "--secure-port=" + ports[2],
		"--endpoint-reconciler-type=none", "--authorization-mode=RBAC", "--client-ca-file=" + p.CAFile,
		"--tls-cert-file=" + cert, "--tls-private-key-file=" + key, "--cert-dir=" + p.Dir,
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + saPublic,
		"--service-account-signing-key-file=" + saPrivate, "--service-cluster-ip-range=10.0.0.0/24", "--profiling=false",
	}, opt.APIServerArgs...)...)
	if p.admin, err = p.client(p.AdminCert, p.AdminKey); err != nil {
		return err
	}
	return p.writeKubeconfig(filepath.Join(p.Dir, "kubeconfig"), "", "default",
		fmt.Sprintf("client-certificate: %s\n    client-key: %s", p.AdminCert, p.AdminKey))
}

func (p *Plane) process(name string, args ...string) *Process {
	return NewProcess(name, filepath.Join(p.Programs, name), filepath.Join(p.Dir, name+".log"), args...)
}

// client is an HTTP client that trusts the plane, with that certificate.
func (p *Plane) client(certFile, keyFile string) (*http.Client, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(p.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}},
	}}, nil
}

// WaitReady returns once the API server says that it is ready.
func (p *Plane) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		try, done := context.WithTimeout(ctx, 2*time.Second)
		err := p.Do(try, http.MethodGet, "/readyz", nil, nil)
		done()
		if err == nil {
			return nil
		}
		for _, program := range []*Process{p.Etcd, p.APIServer} {
			if program.PID() == 0 {
				return fmt.Errorf("%s %w:\n%s", program.Name, errEnded, program.lastWords())
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the API server did not become ready: %w\n%s", err, p.APIServer.lastWords())
		}
	}
}

// Stop ends both programs and removes what the plane wrote.
func (p *Plane) Stop() error {
	var errs []error
	if p.APIServer != nil {
		errs = append(errs, p.APIServer.Kill())
	}
	if p.Etcd != nil {
		errs = append(errs, p.Etcd.Kill())
	}
	if p.owner != nil {
		errs = append(errs, os.RemoveAll(p.Dir), p.owner.Close())
		p.owner = nil
	}
	return errors.Join(errs...)
}

// Kubeconfig is the administrator's, for kubectl.
func (p *Plane) Kubeconfig() string { return filepath.Join(p.Dir, "kubeconfig") }

func (p *Plane) writeKubeconfig(path, server, namespace, user string) error {
	if server == "" {
		server = p.Server
	}
	return os.WriteFile(path, fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: plane
contexts:
- name: plane
  context: {cluster: plane, user: me, namespace: %s}
clusters:
- name: plane
  cluster:
    server: %s
    certificate-authority: %s
users:
- name: me
  user:
    %s
`, namespace, server, p.CAFile, user), 0o600)
}

// freePorts finds ports that nobody listens on now.
func freePorts(address string, n int) ([]string, error) {
	var ports []string
	for range n {
		l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
