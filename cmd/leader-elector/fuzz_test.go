package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever is written on the command line or into the environment is taken or
// refused with words, and what is taken holds what the program counts on.
func FuzzFlags(f *testing.F) {
	f.Add("--election=music\x00--ttl=10s", "LEADER_ELECTOR_HTTP=:4040")
	f.Add("run\x00--election=music\x00--\x00true", "")
	f.Add("--health-check=http://:80/\x00--route=endpointslice\x00--service=x\x00--pod-ip=::1", "LEADER_ELECTOR_LOG_LEVEL=debug")
	f.Add("--notify-url=http://127.0.0.1:1/\x00--state-file=/x\x00--pod-selector=a in (b", "LEADER_ELECTOR_TTL=x")
	f.Add("-election=music\x00--\x00--\x00-h", "LEADER_ELECTOR_HEALTH_CHECK=file:///x?max-age=1s tcp://:1")
	f.Fuzz(func(t *testing.T, line, variable string) {
		name, value, _ := strings.Cut(variable, "=")
		env := func(n string) (string, bool) { return value, n == name && n != "" }
		o, err := parse(strings.Split(line, "\x00"), env)
		switch {
		case err != nil && err.Error() == "":
			t.Error("refused without words")
		case err == nil && (o.election == "" || o.ttl <= 0 || o.healthTimeout <= 0 || o.handoverTimeout <= 0):
			t.Errorf("taken: %+v", o)
		}
	})
}

// A token's claims are a hint of somebody else's; whatever they are, they are
// read or left.
func FuzzClaims(f *testing.F) {
	f.Add([]byte("a.eyJrdWJlcm5ldGVzLmlvIjp7InBvZCI6eyJuYW1lIjoiYSIsInVpZCI6InUifX19.c"))
	f.Add([]byte("..."))
	f.Add([]byte("a.bnVsbA.c"))
	f.Fuzz(func(t *testing.T, token []byte) {
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, token, 0o600); err != nil {
			t.Fatal(err)
		}
		readClaims(path)
	})
}

// `status` prints what a sidecar says, or says that it is none.
func FuzzStatus(f *testing.F) {
	f.Add([]byte(`{"election":"music","identity":"a","leader":"a","isLeader":true,"term":"7"}`))
	f.Add([]byte(`{"election":"music","term":null,"health":null}`))
	f.Add([]byte(`{"election":7}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) {
			return
		}
		if err := (&question{http: ":4040"}).tell(body, io.Discard); err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}
