package controlplane

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// Description is what a test must know to use a plane that another process runs.
type Description struct {
	Server     string `json:"server"`
	CAFile     string `json:"caFile"`
	AdminCert  string `json:"adminCert"`
	AdminKey   string `json:"adminKey"`
	Kubeconfig string `json:"kubeconfig"`
	Programs   string `json:"programs"`
	Door       string `json:"door"` // a unix socket that takes an Order per line
}

// Order is one line to the door of a plane. Do is "namespace", "candidate", or "pause", "resume", "kill" and "start" with a Program.
type Order struct {
	Do        string            `json:"do"`
	Program   string            `json:"program,omitempty"`
	Candidate *CandidateOptions `json:"candidate,omitempty"`
}

// Reply is the line that answers an Order.
type Reply struct {
	Error       string       `json:"error,omitempty"`
	Namespace   string       `json:"namespace,omitempty"`
	Credentials *Credentials `json:"credentials,omitempty"`
}

// Door serves a plane to other processes on a unix socket.
type Door struct {
	plane    *Plane
	listener net.Listener
	cancel   context.CancelFunc
	work     sync.WaitGroup
}

// Open opens the plane's door. Orders are carried out until the context ends or
// the door is closed.
func (p *Plane) Open(ctx context.Context) (*Door, error) {
	path := filepath.Join(p.Dir, "door")
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening %s (a socket's path has room for about 100 bytes; TMPDIR may be too long): %w", path, err)
	}
	d := &Door{plane: p, listener: l}
	ctx, d.cancel = context.WithCancel(ctx)
	d.work.Go(func() { d.accept(ctx) })
	return d, nil
}

// Description tells others how to use the plane.
func (d *Door) Description() Description {
	p := d.plane
	return Description{
		Server: p.Server, CAFile: p.CAFile, AdminCert: p.AdminCert, AdminKey: p.AdminKey,
		Kubeconfig: p.Kubeconfig(), Programs: p.Programs, Door: d.listener.Addr().String(),
	}
}

// Write writes the description into the plane's folder and returns its path.
func (d *Door) Write() (string, error) {
	data, err := json.Marshal(d.Description())
	if err != nil {
		return "", err
	}
	path := filepath.Join(d.plane.Dir, "plane.json")
	return path, os.WriteFile(path, data, 0o600)
}

// Close turns every visitor out, and returns when no order is being carried out.
func (d *Door) Close() error {
	d.cancel()
	err := d.listener.Close()
	d.work.Wait()
	return err
}

func (d *Door) accept(ctx context.Context) {
	for {
		conn, err := d.listener.Accept()
		if err != nil {
			return
		}
		d.work.Go(func() { d.serve(ctx, conn) })
	}
}

// serve answers the orders of one visitor, one at a time.
func (d *Door) serve(ctx context.Context, conn net.Conn) {
	leave := context.AfterFunc(ctx, func() { conn.Close() })
	defer leave()
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		var order Order
		var reply Reply
		err := json.Unmarshal(lines.Bytes(), &order)
		if err == nil {
			reply, err = d.carryOut(ctx, order)
		}
		if err != nil {
			reply.Error = err.Error()
		}
		if json.NewEncoder(conn).Encode(reply) != nil {
			return
		}
	}
}

func (d *Door) carryOut(ctx context.Context, o Order) (reply Reply, err error) {
	switch o.Do {
	case "namespace":
		reply.Namespace, err = d.plane.Namespace(ctx)
	case "candidate":
		if o.Candidate == nil {
			return reply, errors.New("the order names no candidate")
		}
		reply.Credentials, err = d.plane.Candidate(ctx, *o.Candidate)
	default:
		err = d.handle(ctx, o)
	}
	return reply, err
}

// handle does something to one of the programs.
func (d *Door) handle(ctx context.Context, o Order) error {
	program := map[string]*Process{"etcd": d.plane.Etcd, "kube-apiserver": d.plane.APIServer}[o.Program]
	if program == nil {
		return fmt.Errorf("no program is called %q; there are etcd and kube-apiserver", o.Program)
	}
	switch o.Do {
	case "pause":
		return program.Pause()
	case "resume":
		return program.Resume()
	case "kill":
		return program.Kill()
	case "start":
		if err := program.Start(); err != nil {
			return err
		}
		if d.plane.APIServer.PID() == 0 {
			return nil // etcd comes back first; there is no API server to wait for yet
		}
		return d.plane.WaitReady(ctx)
	default:
		return fmt.Errorf("%q is no order", o.Do)
	}
}
