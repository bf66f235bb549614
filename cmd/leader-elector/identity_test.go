package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inPod is the environment of a pod whose service account has this token.
func inPod(t *testing.T, token string) map[string]string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "var/run/secrets/kubernetes.io/serviceaccount")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"token": token, "ca.crt": certificate(t), "namespace": "from-file\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return map[string]string{"LEADER_ELECTOR_POD_ROOT": root, "KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
}

// certificate is one that no server has.
func certificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func of(env map[string]string) lookup {
	return func(name string) (string, bool) { value, ok := env[name]; return value, ok }
}

// jwt is a token with this payload, signed by nobody.
func jwt(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

const podClaims = `{"kubernetes.io":{"namespace":"music","pod":{"name":"radio-0","uid":"u-1"}}}`

func TestIdentityComesFromTheTokenElseFromTheFilesElseFromTheHost(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, token, args  string
		namespace, id, uid string
	}{
		{"a bound token", jwt(podClaims), "", "music", "radio-0", "u-1"},
		{"a token without a pod", jwt(`{"kubernetes.io":{"namespace":"music"}}`), "", "music", host, ""},
		{"a token that is no JWT", "opaque", "", "from-file", host, ""},
		{"claims that are half nonsense", jwt(`{"kubernetes.io":{"namespace":"music","pod":{"name":7}}}`), "", "from-file", host, ""},
		{"flags win", jwt(podClaims), "--id=b --election-namespace=other", "other", "b", "u-1"},
		{"0.5's defaults", jwt(podClaims), "--lock=endpoints", "default", host, "u-1"},
		{"0.5's flags", jwt(podClaims), "--lock=endpoints --use-cluster-credentials=true --election-namespace=old --id=b", "old", "b", "u-1"},
	} {
		env := of(inPod(t, c.token))
		o, err := parse(append([]string{"--election=music"}, strings.Fields(c.args)...), env)
		if err == nil {
			err = o.resolve(env)
		}
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if o.namespace != c.namespace || o.id != c.id || o.podUID != c.uid {
			t.Errorf("%s: %s/%s of pod %q; want %s/%s of %q", c.what, o.namespace, o.id, o.podUID, c.namespace, c.id, c.uid)
		}
	}
}

// A pod's UID outside its pod would let two processes that cannot see each
// other's socket follow one another at once (law 11).
func TestAPodsUIDIsTakenOnlyInThatPod(t *testing.T) {
	dir := t.TempDir()
	token, conf := filepath.Join(dir, "token"), filepath.Join(dir, "config")
	for file, data := range map[string]string{token: jwt(podClaims), conf: `{current-context: c, contexts: [{name: c, context: {cluster: c, user: u, namespace: n}}],
		clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}], users: [{name: u, user: {tokenFile: token}}]}`} {
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := of(nil)
	o, err := parse([]string{"--election=music", "--kubeconfig=" + conf}, env)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.resolve(env); err != nil {
		t.Fatal(err)
	}
	if o.podUID != "" || o.id == "radio-0" || o.namespace != "n" {
		t.Errorf("outside a pod it is %s/%s of pod %q", o.namespace, o.id, o.podUID)
	}
}

func TestExitCodes(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	const whole = "--election=music --election-namespace=x --id=a --server=http://127.0.0.1:1 --http="
	for _, c := range []struct {
		args string
		want int
	}{
		{"--help", exitDone}, {"version", exitDone}, {"--version", exitDone},
		{whole, exitDone}, // told to end, it hands over, though there is no API server
		{whole + taken.Addr().String(), exitFailed},
		{"", exitUsage}, {"--election=music --no-such-flag", exitUsage}, {whole + "4040", exitUsage}, {"frobnicate", exitUsage},
	} {
		var out, errs bytes.Buffer
		if got := run(over, strings.Fields(c.args), of(nil), &out, &errs); got != c.want {
			t.Errorf("%s: exit code %d, want %d\n%s", c.args, got, c.want, &errs)
		}
	}
}
