package kube

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// marks notes of each watch's request whether it is marked as taken up anew.
type marks struct {
	base http.RoundTripper

	mu   sync.Mutex
	seen []bool
}

func (m *marks) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("watch") != "" {
		m.mu.Lock()
		m.seen = append(m.seen, Anew(r.Context()))
		m.mu.Unlock()
	}
	return m.base.RoundTrip(r)
}

func (m *marks) all() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprint(m.seen)
}

func TestAWatchThatIsTakenUpAnewIsMarkedAsThat(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	c, ref := joined(t, p, testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"})
	m := &marks{}
	made := c.access.NewClient
	c.access.NewClient = func() (*http.Client, error) {
		client, err := made()
		if err != nil {
			return nil, err
		}
		m.base = client.Transport
		marked := *client
		marked.Transport = m
		return &marked, nil
	}
	f := following(t, c, ref)
	f.next(t, Missing)
	f.next(t, Up)
	if got := m.all(); got != "[false]" {
		t.Errorf("the first watch is marked %s", got)
	}
	create(t, c, ref)
	f.next(t, Changed)
	c.Rewatch()
	change(t, p, ref, "b")
	f.next(t, Changed)
	if got := m.all(); got != "[false true]" {
		t.Errorf("the two watches are marked %s, want the second", got)
	}
}
