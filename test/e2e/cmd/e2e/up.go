package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/leader-elector/leader-elector/test/e2e/cluster"
	"github.com/leader-elector/leader-elector/test/e2e/images"
)

// start brings a cluster up in this process, which must stay: the cluster ends
// with it.
func start(ctx context.Context) (*cluster.Cluster, error) {
	layout, err := images.Dir(cluster.Instance())
	if err != nil {
		return nil, err
	}
	programs, err := cluster.Build(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	return cluster.Start(ctx, cluster.Options{Programs: programs, Images: layout, Progress: os.Stderr})
}

// source is the repository's folder: the Makefile starts the program there.
func source() string {
	dir, _ := os.Getwd()
	return dir
}

// prepare makes sure that a cluster can be had, and enters its namespace.
func prepare(ctx context.Context) error {
	if cluster.Inside() {
		return nil
	}
	if err := cluster.Require(ctx, func(s string) { fmt.Fprintln(os.Stderr, s) }); err != nil {
		return err
	}
	if err := cluster.Claim(); err != nil {
		return err
	}
	if _, err := cluster.Build(ctx, os.Stderr); err != nil {
		return err
	}
	if _, err := images.Make(ctx, cluster.Instance(), source(), os.Stderr); err != nil {
		return err
	}
	if cluster.Leftovers(cluster.Dir()) {
		fmt.Fprintln(os.Stderr, "removing what an earlier cluster left behind")
		if err := cluster.Sweep(cluster.Dir()); err != nil {
			return err
		}
	}
	return cluster.Enter(ctx)
}

func readyFile() string { return filepath.Join(cluster.Dir(), "ready") }

// up starts a keeper in the background and waits until the cluster is ready.
func up(ctx context.Context) error {
	if _, err := os.Stat(readyFile()); err == nil && cluster.Claimant() != 0 {
		return tell()
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "keep")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	said, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	told := make(chan error, 1)
	go func() { _, err := io.Copy(os.Stderr, said); told <- err }()
	select {
	case <-told: // the keeper closes its standard error when the cluster is up, or by ending
	case <-ctx.Done():
		cmd.Process.Signal(syscall.SIGTERM)
		<-told
		return errors.Join(ctx.Err(), cmd.Wait())
	}
	if _, err := os.Stat(readyFile()); err != nil {
		return errors.Join(errors.New("the cluster did not come up"), cmd.Wait())
	}
	return tell()
}

// tell says how to use the cluster.
func tell() error {
	said, err := os.ReadFile(readyFile())
	fmt.Print(string(said))
	return err
}

// keep brings a cluster up and keeps it until it is told to end.
func keep(ctx context.Context) (err error) {
	if err := prepare(ctx); err != nil {
		return err
	}
	c, err := start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	if err := admit(c); err != nil {
		return err
	}
	hint := fmt.Sprintf("export KUBECONFIG=%s PATH=%s:$PATH\n", filepath.Join(c.Dir, "kubeconfig"), c.Programs())
	if err := os.WriteFile(readyFile(), []byte(hint), 0o644); err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := syscall.Dup3(int(null.Fd()), 2, 0); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// admit lets programs outside the namespaces reach the API server, on the
// machine's loopback.
func admit(c *cluster.Cluster) error {
	door, err := cluster.Door()
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := door.Accept()
			if err != nil {
				return
			}
			go forward(conn, strings.TrimPrefix(c.Plane.Server, "https://"))
		}
	}()
	return cluster.WriteKubeconfig(filepath.Join(c.Dir, "kubeconfig"), "https://"+door.Addr().String(),
		c.Plane.CAFile, c.Plane.AdminCert, c.Plane.AdminKey)
}

func forward(conn net.Conn, to string) {
	defer conn.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { io.Copy(server, conn); server.(*net.TCPConn).CloseWrite() }()
	io.Copy(conn, server)
}
