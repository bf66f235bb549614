package kube

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kubeconfigWith writes a kubeconfig of one context with the given lines of its
// cluster and its user.
func kubeconfigWith(t *testing.T, cluster, user string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	write(t, file, `apiVersion: v1
kind: Config
current-context: here
preferences: {}
contexts:
- {name: here, context: {cluster: c, user: u, namespace: music}}
- {name: there, context: {cluster: lost, user: u}}
- {name: nobody, context: {cluster: c}}
clusters:
- name: c
  cluster: {`+cluster+`}
users:
- name: u
  user: {`+user+`}
`)
	return file
}

const someServer = "server: 'https://127.0.0.1:6443'"

func TestAKubeconfigGivesCertificatesAndTokens(t *testing.T) {
	cert, key := keyPair(t)
	file := kubeconfigWith(t, someServer+", tls-server-name: api, certificate-authority: ca.pem", "client-certificate: sub/c.pem, client-key-data: "+b64(key)+", tokenFile: token")
	dir := filepath.Dir(file)
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "ca.pem"), cert)
	write(t, filepath.Join(dir, "sub/c.pem"), cert)
	a, err := FromKubeconfig(file, "")
	if err != nil {
		t.Fatal(err)
	}
	if a.Server != "https://127.0.0.1:6443" || a.Namespace != "music" || a.TokenFile != "" {
		t.Errorf("%+v", a)
	}
	client, err := a.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	b := client.Transport.(*bearer)
	tc := b.base.TLSClientConfig
	if b.token.file != filepath.Join(dir, "token") || tc.ServerName != "api" || tc.RootCAs == nil || len(tc.Certificates) != 1 || tc.InsecureSkipVerify {
		t.Errorf("token %q, server name %q, %d certificates", b.token.file, tc.ServerName, len(tc.Certificates))
	}
}

func TestACertificateIsReadAnewForEachClient(t *testing.T) {
	cert, _ := keyPair(t)
	file := kubeconfigWith(t, someServer+", certificate-authority: ca.pem", "token: t")
	ca := filepath.Join(filepath.Dir(file), "ca.pem")
	write(t, ca, cert)
	a, err := FromKubeconfig(file, "")
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(ca)
	if _, err := a.NewClient(); err == nil {
		t.Error("the old certificate authority is still used")
	}
}

func TestAContextWithoutUserHasNoCredentials(t *testing.T) {
	a, err := FromKubeconfig(kubeconfigWith(t, someServer, "token: t"), "nobody")
	if err != nil {
		t.Fatal(err)
	}
	client, _ := a.NewClient()
	if _, ok := client.Transport.(*http.Transport); !ok {
		t.Errorf("a %T", client.Transport)
	}
}

func TestATokenIsNotSentOverPlainHTTP(t *testing.T) {
	a, err := FromKubeconfig(kubeconfigWith(t, "server: 'http://10.0.0.1:8080'", "token: t"), "")
	if err != nil {
		t.Fatal(err)
	}
	client, _ := a.NewClient()
	if _, ok := client.Transport.(*http.Transport); !ok {
		t.Errorf("a %T", client.Transport)
	}
}

func TestAKubeconfigThatCannotWorkIsRefusedWithTheWayOut(t *testing.T) {
	cert, key := keyPair(t)
	const kubectlProxy = "run `kubectl proxy` and use --server=http://127.0.0.1:8001"
	for _, tc := range []struct {
		name, cluster, user, context string
		want                         []string
	}{
		{"exec", someServer, "exec: {command: aws}", "", []string{"plugin (exec: aws)", kubectlProxy}},
		{"auth-provider", someServer, "auth-provider: {name: gcp}", "", []string{"auth-provider (gcp)", kubectlProxy}},
		{"password", someServer, "username: me, password: p", "", []string{kubectlProxy}},
		{"impersonation", someServer, "token: t, as: root", "", []string{"impersonation", kubectlProxy}},
		{"proxy-url", someServer + ", proxy-url: 'http://p'", "token: t", "", []string{"proxy-url", kubectlProxy}},
		{"contradiction", someServer + ", insecure-skip-tls-verify: true, certificate-authority-data: " + b64(cert), "", "", []string{"contradict"}},
		{"no such context", someServer, "", "elsewhere", []string{`no context "elsewhere"`, "here, there, nobody"}},
		{"no such cluster", someServer, "", "there", []string{`context "there": there is no cluster "lost"`}},
		{"no server", "", "", "", []string{"URL is empty"}},
		{"bad data", someServer, "client-certificate-data: '%%'", "", []string{"client-certificate-data"}},
		{"no key", someServer, "client-certificate-data: " + b64(cert), "", []string{"client-key"}},
		{"no certificate", someServer, "client-key-data: " + b64(key), "", []string{"client-certificate"}},
		{"bad authority", someServer + ", certificate-authority-data: " + b64("x"), "", "", []string{"certificate-authority"}},
		{"no such file", someServer, "client-certificate: none.pem", "", []string{"client-certificate: open /"}},
		{"not yaml", "[", "", "", []string{"not a kubeconfig"}},
	} {
		file := kubeconfigWith(t, tc.cluster, tc.user)
		_, err := FromKubeconfig(file, tc.context)
		if err == nil {
			t.Errorf("%s: taken", tc.name)
			continue
		}
		for _, want := range append(tc.want, "--kubeconfig "+file+": ") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", tc.name, err, want)
			}
		}
	}
}

func TestAListOfKubeconfigsIsRefusedAsOne(t *testing.T) {
	file := kubeconfigWith(t, someServer, "token: t")
	_, err := FromKubeconfig(file+string(os.PathListSeparator)+file, "")
	if err == nil || !strings.Contains(err.Error(), "lists are not merged") {
		t.Errorf("%v", err)
	}
	if _, err := FromKubeconfig(filepath.Join(t.TempDir(), "none"), ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestAMissingCurrentContextNamesTheOthers(t *testing.T) {
	file := kubeconfigWith(t, someServer, "token: t")
	b, _ := os.ReadFile(file)
	write(t, file, strings.Replace(string(b), "current-context: here", "", 1))
	if _, err := FromKubeconfig(file, ""); err == nil || !strings.Contains(err.Error(), "no current-context is set; choose one of: here, there, nobody") {
		t.Errorf("%v", err)
	}
}
