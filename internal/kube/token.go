package kube

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// tokenFor is how long a token that was read from a file is used before the
// file is read again. The kubelet rotates a token long before it expires.
const tokenFor = 10 * time.Second

// tokenSource is a bearer token, fixed or in a file that somebody rotates.
type tokenSource struct {
	file string // empty: the token is fixed

	mu    sync.Mutex
	token string
	read  time.Time
}

// get returns the present token. A file that cannot be read any more is an
// error at once, though the last token may live on: it is found before the
// token expires.
func (s *tokenSource) get() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == "" || s.token != "" && time.Since(s.read) < tokenFor {
		return s.token, nil
	}
	b, err := os.ReadFile(s.file)
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return "", fmt.Errorf("the token file %s is empty", s.file)
	}
	s.token, s.read = token, time.Now()
	return token, nil
}

// rejected makes the next get read the file again, unless it did already.
func (s *tokenSource) rejected(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != "" && s.token == token {
		s.token = ""
	}
}

// bearer adds the token to every request.
type bearer struct {
	base  *http.Transport
	token *tokenSource
}

func (b *bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := b.token.get()
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, &unsentError{err}
	}
	req = req.Clone(req.Context()) // a RoundTripper must not change its request
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := b.base.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		b.token.rejected(token)
	}
	return resp, err
}

// CloseIdleConnections lets the http.Client give up its connections.
func (b *bearer) CloseIdleConnections() { b.base.CloseIdleConnections() }
