package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

const election = "music"

// stage is where the candidates run.
type stage struct {
	plane     *controlplane.Plane
	sidecar   string
	namespace string
	cast      []*candidate
}

// candidate is one running sidecar.
type candidate struct {
	name string
	url  string
	log  string
	*controlplane.Process
}

// enter starts a candidate with the rights that users get, or starts it again.
func (s *stage) enter(ctx context.Context, name string) error {
	creds, err := s.plane.Candidate(ctx, controlplane.CandidateOptions{Namespace: s.namespace, Pod: name, Election: election})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := l.Addr().String()
	l.Close()
	c := &candidate{name: name, url: "http://" + address, log: filepath.Join(s.plane.Dir, name+".log")}
	c.Process = controlplane.NewProcess(name, s.sidecar, c.log, "--election="+election, "--id="+name,
		"--kubeconfig="+creds.Kubeconfig, "--ttl="+ttl.String(), "--new-lock=immediate", "--http="+address)
	if err := c.Start(); err != nil {
		return err
	}
	for i, old := range s.cast {
		if old.name == name {
			s.cast[i] = c
			return s.arrived(ctx, c)
		}
	}
	s.cast = append(s.cast, c)
	return s.arrived(ctx, c)
}

// arrived waits until the candidate knows the election: it leads, or could.
func (s *stage) arrived(ctx context.Context, c *candidate) error {
	err := until(ctx, func() bool { return c.leads() || c.code("/standby") == http.StatusOK })
	if err != nil {
		words, _ := os.ReadFile(c.log)
		return fmt.Errorf("%s did not come up: %w\n%s", c.name, err, words)
	}
	return nil
}

// clear ends every candidate that still runs.
func (s *stage) clear() (err error) {
	for _, c := range s.cast {
		err = errors.Join(err, c.Kill())
	}
	return err
}

var client = &http.Client{Timeout: 500 * time.Millisecond}

func (c *candidate) get(path string) (int, string) {
	resp, err := client.Get(c.url + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

func (c *candidate) body(path string) string { _, body := c.get(path); return body }
func (c *candidate) code(path string) int    { code, _ := c.get(path); return code }
func (c *candidate) leads() bool             { return c.code("/leader") == http.StatusOK }
func (c *candidate) says() string            { return fmt.Sprintf(`{"name":%q}`, c.name) }

// askAsleep asks a frozen candidate who leads, and then wakes it: the question
// waits in the kernel, so the answer is the first that it gives.
func (c *candidate) askAsleep() (string, error) {
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(c.url, "http://"), time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n")
	if err := c.Resume(); err != nil {
		return "", err
	}
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	answer, err := io.ReadAll(conn)
	if err != nil {
		return "", err
	}
	_, body, ok := strings.Cut(string(answer), "\r\n\r\n")
	if !ok {
		return "", fmt.Errorf("no answer: %q", answer)
	}
	return body, nil
}

// leader waits until one leads.
func (s *stage) leader(ctx context.Context) (*candidate, error) { return s.successor(ctx, nil) }

// successor waits until somebody other than old leads.
func (s *stage) successor(ctx context.Context, old *candidate) (next *candidate, err error) {
	err = until(ctx, func() bool {
		for _, c := range s.cast {
			if c != old && c.leads() {
				next = c
				return true
			}
		}
		return false
	})
	if err != nil {
		return nil, fmt.Errorf("nobody leads: %w", err)
	}
	return next, nil
}

var errLate = errors.New("not within half a minute")

// until asks every 2 ms.
func until(ctx context.Context, yes func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 30*time.Second, errLate)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
