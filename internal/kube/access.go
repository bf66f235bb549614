package kube

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Access is how to reach one API server and how to talk to it.
type Access struct {
	// Server is the URL of the API server, with a path if it is behind one.
	Server string

	// NewClient makes a client that has connections of its own: the way to give
	// a connection up is to drop its client, so one that shares its transport
	// with an earlier client brings the dead connection back. The client adds
	// the credentials. Its Timeout and its CheckRedirect are ignored: contexts
	// bound requests, and redirects are not followed. Nil: clients without
	// credentials, with the system's certificate authorities.
	NewClient func() (*http.Client, error)

	// Namespace is that of the service account or of the kubeconfig's context;
	// empty if unknown.
	Namespace string

	// TokenFile is the service account's token in a pod, for who wants to read
	// the identity in its claims; empty elsewhere.
	TokenFile string

	// UserAgent names the program and its version to the server; empty means
	// "leader-elector".
	UserAgent string

	// AddressFrom says where Server comes from, "--server" say, and
	// CredentialHint what to mend where the server refuses the credentials. Both
	// are for people, and may be empty.
	AddressFrom, CredentialHint string
}

// FromServer gives access without credentials to the API server at a URL:
// plain http for kubectl proxy, or https with the system's roots.
func FromServer(server string) (Access, error) {
	if _, err := parseServer(server); err != nil {
		return Access{}, fmt.Errorf("--server: %w", err)
	}
	return Access{
		Server:         server,
		NewClient:      plainClient,
		AddressFrom:    "--server",
		CredentialHint: "--server sends no credentials: use --kubeconfig, or the address that kubectl proxy prints",
	}, nil
}

func plainClient() (*http.Client, error) { return newHTTPClient(&tls.Config{}, nil), nil }

// parseServer takes the URL of an API server.
func parseServer(server string) (*url.URL, error) {
	u, err := url.Parse(server)
	switch {
	case server == "":
		return nil, errors.New("the API server's URL is empty")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%q is not the URL of an API server: write it as https://HOST:PORT, or http://127.0.0.1:8001 for kubectl proxy", server)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q: the API server's URL has only a scheme, a host, a port and a path", u.Redacted())
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

const (
	// dialWithin and handshakeWithin bound a connection that is being made after
	// its request has given up on it, and so how many there can be.
	dialWithin      = 5 * time.Second
	handshakeWithin = 5 * time.Second

	// idleFor is less than the 90 s after which an API server closes an idle
	// connection, so that no write is sent into one that is just being closed.
	idleFor = 60 * time.Second
)

// newHTTPClient makes a client with connections of its own: one for the request
// under way, as only one is. Keep-alive probes find a dead peer in half a
// minute, also under an idle connection and a silent watch.
func newHTTPClient(conf *tls.Config, token *tokenSource) *http.Client {
	dialer := &net.Dialer{
		Timeout:         dialWithin,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // HTTP/2 costs memory and shares a connection's fate
	transport := &http.Transport{
		Proxy:                  nil,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    handshakeWithin,
		DisableCompression:     true,
		MaxIdleConns:           1,
		IdleConnTimeout:        idleFor,
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              protocols,
	}
	if token == nil {
		return &http.Client{Transport: transport}
	}
	return &http.Client{Transport: &bearer{base: transport, token: token}}
}
