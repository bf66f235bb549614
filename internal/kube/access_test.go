package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAServerIsAURLWithSchemeAndHost(t *testing.T) {
	for _, good := range []string{"http://127.0.0.1:8001", "https://[fd00::1]:6443", "https://rancher.example/k8s/clusters/c-1/"} {
		if _, err := FromServer(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "127.0.0.1:8001", "localhost:8001", "https://", "ftp://host", "https://me:pass@host", "https://host?a=b"} {
		_, err := FromServer(bad)
		if err == nil {
			t.Errorf("%q was taken", bad)
		} else if !strings.HasPrefix(err.Error(), "--server: ") || strings.Contains(err.Error(), "pass") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAnIPv6ServiceHostGetsBrackets(t *testing.T) {
	root := podRoot(t)
	for _, host := range []string{"fd00::1", "[fd00::1]"} {
		a, err := inCluster(host, "443", root)
		if err != nil {
			t.Fatal(err)
		}
		if a.Server != "https://[fd00::1]:443" {
			t.Errorf("%s: %s", host, a.Server)
		}
	}
}

// podRoot is a directory with a service account's files in it.
func podRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, serviceAccount)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cert, _ := keyPair(t)
	write(t, filepath.Join(dir, "token"), "one\n")
	write(t, filepath.Join(dir, "ca.crt"), cert)
	write(t, filepath.Join(dir, "namespace"), "music\n")
	return root
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAPodFindsItsServiceAccount(t *testing.T) {
	root := podRoot(t)
	a, err := inCluster("10.0.0.1", "443", root)
	if err != nil {
		t.Fatal(err)
	}
	if a.Server != "https://10.0.0.1:443" || a.Namespace != "music" || a.TokenFile != filepath.Join(root, serviceAccount, "token") {
		t.Errorf("%+v", a)
	}
}

func TestWhatAPodLacksIsNamed(t *testing.T) {
	if _, err := inCluster("", "", ""); !errors.Is(err, ErrNotInCluster) || !strings.Contains(err.Error(), "--kubeconfig or --server") {
		t.Errorf("outside: %v", err)
	}
	if _, err := inCluster("10.0.0.1", "443", t.TempDir()); err == nil || !strings.Contains(err.Error(), "automountServiceAccountToken") {
		t.Errorf("without a token: %v", err)
	}
	root := podRoot(t)
	ca := filepath.Join(root, serviceAccount, "ca.crt")
	write(t, ca, "nonsense")
	if _, err := inCluster("10.0.0.1", "443", root); err == nil || !strings.Contains(err.Error(), ca) {
		t.Errorf("without a CA: %v", err)
	}
}

func TestARotatedTokenIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, "one\n")
	s := &tokenSource{file: file}
	expect := func(want string) {
		t.Helper()
		if got, err := s.get(); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	expect("one")
	write(t, file, "two\n")
	expect("one")
	s.rejected("one")
	expect("two")
	write(t, file, "three")
	s.rejected("one") // the answer to an old request
	expect("two")
	s.read = s.read.Add(-tokenFor)
	expect("three")

	os.Remove(file)
	s.rejected("three")
	if _, err := s.get(); err == nil {
		t.Error("a token that is gone was found")
	}
}

func TestARequestWithoutAReadableTokenIsNotSent(t *testing.T) {
	token := &tokenSource{file: filepath.Join(t.TempDir(), "none")}
	c := testClient(t, Access{NewClient: func() (*http.Client, error) { return newHTTPClient(nil, token), nil }})
	_, err := c.Update(t.Context(), lease, []byte(body("u", "1")))
	var e *Error
	if !errors.As(err, &e) || !e.NotSent() || !errors.Is(err, ErrUnavailable) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// keyPair makes a self-signed certificate and its key, as PEM.
func keyPair(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	kder, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: kder}))
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func body(uid, version string) string {
	return `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"station","namespace":"music","uid":"` + uid + `","resourceVersion":"` + version + `"},"spec":{}}`
}
