package fencing

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// postgres starts a server of Debian's, with a data folder of its own and a
// socket in it, and returns how to connect to it. It ends with the test.
func postgres(t *testing.T) (where string) {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Fatal("there is no PostgreSQL server: make postgres installs Debian's (apt-get install postgresql)")
	}
	bin := filepath.Dir(found[len(found)-1])
	// The path of a socket has at most 107 characters, and other users come here.
	dir, err := os.MkdirTemp("/tmp", "fencing-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var as *syscall.SysProcAttr
	if os.Getuid() == 0 { // it refuses to be root's
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, Pdeathsig: syscall.SIGKILL}
	}
	data := filepath.Join(dir, "data")
	init := exec.Command(filepath.Join(bin, "initdb"), "--pgdata="+data, "--auth=trust", "--username=test", "--no-sync", "--encoding=UTF8", "--locale=C")
	init.SysProcAttr, init.Dir = as, dir
	if said, err := init.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, said)
	}
	var log bytes.Buffer
	server := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off")
	server.SysProcAttr, server.Dir, server.Stdout, server.Stderr = as, dir, &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { defer close(exited); server.Wait() }()
	t.Cleanup(func() {
		server.Process.Signal(syscall.SIGINT) // "fast": ends the clients' sessions
		<-exited
	})
	ready := filepath.Join(bin, "pg_isready")
	for deadline := time.Now().Add(time.Minute); exec.Command(ready, "-q", "-h", dir, "-U", "test").Run() != nil; {
		select {
		case <-exited:
			t.Fatalf("the server ended:\n%s", &log)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("the server does not get ready")
		}
	}
	return fmt.Sprintf("host=%s user=test dbname=postgres", dir)
}
