package main

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// podRoot is a folder that stands for a pod's /, with the files that the
// kubelet mounts for the service account. It returns the environment of a
// container in that pod.
func podRoot(t *testing.T, p *testplane.Plane, c testplane.Candidate) (env []string) {
	t.Helper()
	creds := p.Join(t, c)
	root := t.TempDir()
	dir := filepath.Join(root, "var/run/secrets/kubernetes.io/serviceaccount")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(creds.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"token": []byte(creds.Token), "ca.crt": ca, "namespace": []byte(c.Namespace)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	server, err := url.Parse(creds.Server)
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(server.Host)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"LEADER_ELECTOR_POD_ROOT=" + root, "KUBERNETES_SERVICE_HOST=" + host, "KUBERNETES_SERVICE_PORT=" + port}
}
