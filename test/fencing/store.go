package fencing

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	elector "github.com/leader-elector/leader-elector"
)

// snippet: store

// Store keeps values, and refuses writes of a term below one that it has seen.
type Store struct {
	mu     sync.Mutex
	term   uint64
	values map[string]string
}

// ServeHTTP takes PUT /KEY with the header Fencing-Token, and answers 412 to a
// term whose time is over. The term is compared and kept in the same step as the
// value; a store on disk does both in one transaction.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut {
		s.mu.Lock()
		defer s.mu.Unlock()
		io.WriteString(w, s.values[r.URL.Path])
		return
	}
	term, err := strconv.ParseUint(r.Header.Get("Fencing-Token"), 10, 64)
	if err != nil {
		http.Error(w, "Fencing-Token is not a term", http.StatusBadRequest)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if term < s.term {
		http.Error(w, fmt.Sprintf("term %d has written", s.term), http.StatusPreconditionFailed)
		return
	}
	s.term = term
	if s.values == nil {
		s.values = map[string]string{}
	}
	s.values[r.URL.Path] = string(body)
}

// Put writes a value as the leader of a term.
func Put(ctx context.Context, url string, term elector.Term, value string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, url, strings.NewReader(value))
	if err != nil {
		return err
	}
	r.Header.Set("Fencing-Token", term.String())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusPreconditionFailed:
		return fmt.Errorf("%w: %s, ours is %s", ErrFenced, strings.TrimSpace(string(said)), term)
	}
	return fmt.Errorf("%s: %s", resp.Status, said)
}

// end of snippet
