package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// recorder stands between a candidate and the API server, ends the candidate's
// TLS, and writes down every read and write of the lock: when it was handed on,
// and when its answer had arrived.
type recorder struct {
	who      string
	upstream string // https://host:port
	base     *http.Transport
	history  *history
	tally    *tally

	hang atomic.Pointer[hang]
}

// hang keeps the answers of writes back, from their commit until it ends.
type hang struct{ end chan struct{} }

// tally counts answers by their status.
type tally struct {
	mu     sync.Mutex
	status map[int]int
	cutOff int // requests that got no answer here
}

func (t *tally) add(status int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if status == 0 {
		t.cutOff++
		return
	}
	if t.status == nil {
		t.status = map[int]int{}
	}
	t.status[status]++
}

// answer is one that arrived whole.
type answer struct {
	status int
	head   http.Header
	body   []byte
}

// ServeHTTP hands a request on once all of it has arrived, and its answer back.
// What breaks on the far side breaks here too: no gateway's status is made up.
func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if req.URL.Query().Has("watch") {
		r.watch(w, req)
		return
	}
	a, err := r.exchange(req.Context(), req.Method, req.URL.RequestURI(), req.Header, body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if h := r.hang.Load(); h != nil && req.Method != http.MethodGet {
		select {
		case <-h.end:
		case <-req.Context().Done():
		}
		panic(http.ErrAbortHandler)
	}
	for name, values := range a.head {
		w.Header()[name] = values
	}
	w.WriteHeader(a.status)
	w.Write(a.body)
}

// exchange sends a request and reads its whole answer. Where it concerns the
// lock it becomes an operation of the history: the call is stamped before the
// first byte is handed on and the return after the last byte of the answer, so
// what the API server did lies between the two. Without a whole answer, and
// with one that leaves it open, the outcome is unknown and the operation has
// no end.
func (r *recorder) exchange(ctx context.Context, method, uri string, head http.Header, body []byte) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.upstream+uri, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"Authorization", "Accept", "Content-Type", "User-Agent"} {
		if v := head.Get(name); v != "" {
			req.Header.Set(name, v)
		}
	}
	end := r.history.begin(r.who, method, uri, body)
	a, err := r.answered(req)
	if err != nil {
		r.tally.add(0)
		end(0, nil)
		return nil, err
	}
	r.tally.add(a.status)
	end(a.status, a.body)
	return a, nil
}

func (r *recorder) answered(req *http.Request) (*answer, error) {
	resp, err := r.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Header.Del("Content-Length")
	return &answer{status: resp.StatusCode, head: resp.Header, body: body}, nil
}

// watch passes a stream on as it comes. Its events are no operations, since a
// watch may lag; what they show of a version is held against what others saw.
func (r *recorder) watch(w http.ResponseWriter, in *http.Request) {
	req, err := http.NewRequestWithContext(in.Context(), in.Method, r.upstream+in.URL.RequestURI(), nil)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	req.Header.Set("Authorization", in.Header.Get("Authorization"))
	req.Header.Set("Accept", in.Header.Get("Accept"))
	resp, err := r.base.RoundTrip(req)
	if err != nil {
		r.tally.add(0)
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	r.tally.add(resp.StatusCode)
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	out := http.NewResponseController(w)
	if err := out.Flush(); err != nil {
		panic(http.ErrAbortHandler)
	}
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			r.history.observe(line)
			if _, err := w.Write(line); err != nil || out.Flush() != nil {
				panic(http.ErrAbortHandler)
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// hangsAfterCommit keeps back what the API server answers to writes.
func (r *recorder) hangsAfterCommit(ctx context.Context, d time.Duration) {
	h := &hang{end: make(chan struct{})}
	r.hang.Store(h)
	wait(ctx, d)
	r.hang.Store(nil)
	close(h.end)
}

// server answers a candidate's TLS with the certificate that is current.
func (r *recorder) server(certificate *atomic.Pointer[tls.Certificate]) *http.Server {
	return &http.Server{
		Handler: r, ErrorLog: silent(),
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1, as the sidecar speaks
		TLSConfig: &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return certificate.Load(), nil
		}},
	}
}

// shown is what a body shows of the lock.
type shown struct {
	uid     string
	version uint64
	content string
}

// read takes out of an object what the model compares: identity and version,
// and of the content all that the candidates say. Every write of theirs carries
// a nonce of its own in the seal, and every edit of the hand a number of its
// own, so equal content is one write.
func read(body []byte) (shown, error) {
	var o struct {
		Metadata struct {
			Name            string
			UID             string
			ResourceVersion uint64 `json:",string"`
			Annotations     map[string]string
		}
		Spec struct {
			HolderIdentity       string
			LeaseDurationSeconds int
			LeaseTransitions     int
		}
	}
	if err := json.Unmarshal(body, &o); err != nil {
		return shown{}, err
	}
	if o.Metadata.Name != lockName {
		return shown{}, errors.New("it is not the lock")
	}
	notes := map[string]string{}
	for k, v := range o.Metadata.Annotations {
		if strings.HasPrefix(k, "leader-elector.io/") || k == handNote {
			notes[k] = v
		}
	}
	content, err := json.Marshal([]any{o.Spec.HolderIdentity, o.Spec.LeaseDurationSeconds, o.Spec.LeaseTransitions, notes})
	return shown{uid: o.Metadata.UID, version: o.Metadata.ResourceVersion, content: string(content)}, err
}
