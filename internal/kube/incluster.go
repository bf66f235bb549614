package kube

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// ErrNotInCluster means that this process does not run in a pod.
var ErrNotInCluster = errors.New("not running in a pod")

// serviceAccount is where the kubelet puts a pod's credentials.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// InCluster gives the access of this pod's service account. The token is read
// again as the kubelet rotates it, the CA with each new client.
//
// It asks getenv, which is os.Getenv in main, for KUBERNETES_SERVICE_HOST and
// KUBERNETES_SERVICE_PORT. For tests, LEADER_ELECTOR_POD_ROOT names a directory
// that stands for the pod's /.
func InCluster(getenv func(string) string) (Access, error) {
	return inCluster(getenv("KUBERNETES_SERVICE_HOST"), getenv("KUBERNETES_SERVICE_PORT"), getenv("LEADER_ELECTOR_POD_ROOT"))
}

func inCluster(host, port, root string) (Access, error) {
	if host == "" || port == "" {
		return Access{}, fmt.Errorf("%w: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set; outside a pod, name the API server with --kubeconfig or --server", ErrNotInCluster)
	}
	dir := filepath.Join(root, serviceAccount)
	tokenFile, caFile := filepath.Join(dir, "token"), filepath.Join(dir, "ca.crt")
	token := &tokenSource{file: tokenFile}
	if _, err := token.get(); err != nil {
		return Access{}, fmt.Errorf("%w; this pod needs a service account's token: is automountServiceAccountToken off?", err)
	}
	newClient := func() (*http.Client, error) {
		roots, err := rootsFromFile(caFile)
		if err != nil {
			return nil, err
		}
		return newHTTPClient(&tls.Config{RootCAs: roots}, token), nil
	}
	if _, err := newClient(); err != nil {
		return Access{}, err
	}
	namespace, _ := os.ReadFile(filepath.Join(dir, "namespace")) // optional
	return Access{
		Server:         "https://" + net.JoinHostPort(strings.Trim(host, "[]"), port),
		NewClient:      newClient,
		Namespace:      strings.TrimSpace(string(namespace)),
		TokenFile:      tokenFile,
		AddressFrom:    "KUBERNETES_SERVICE_HOST",
		CredentialHint: "the token in " + tokenFile + " has expired or is not of this cluster",
	}, nil
}

// rootsFromFile reads certificate authorities.
func rootsFromFile(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's certificate authority: %w", err)
	}
	return rootsFromPEM(pem, file)
}

func rootsFromPEM(pem []byte, from string) (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate (PEM) of a certificate authority", from)
	}
	return roots, nil
}
