// Command stream is an app that serves endless streams, and only while its pod
// leads: it is told so by the sidecar (--notify-url), and closes its streams
// before it accepts that the lead has ended. A client that connects again
// reaches the new leader.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// lead is one lead of this pod. Streams end with it.
type lead struct {
	term    string
	ended   chan struct{}
	streams sync.WaitGroup
}

// server knows of the present lead.
type server struct {
	mu   sync.Mutex
	lead *lead  // nil: this pod does not lead
	seen uint64 // the sequence of the newest news
}

// hear takes the sidecar's news. The answer accepts it, so it is given when
// everything of an earlier lead has ended.
func (s *server) hear(w http.ResponseWriter, r *http.Request) {
	var news struct {
		IsLeader bool   `json:"isLeader"`
		Term     string `json:"term"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&news); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	seq, _ := strconv.ParseUint(r.Header.Get("Leader-Elector-Sequence"), 10, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq < s.seen {
		return // it was broken off by newer news, which was obeyed
	}
	s.seen = seq
	if s.lead != nil && (!news.IsLeader || news.Term != s.lead.term) {
		close(s.lead.ended)
		s.lead.streams.Wait()
		log.Printf("term %s ended", s.lead.term)
		s.lead = nil
	}
	if s.lead == nil && news.IsLeader {
		s.lead = &lead{term: news.Term, ended: make(chan struct{})}
		log.Printf("term %s began", news.Term)
	}
}

// begin is the present lead, of which one more stream is counted.
func (s *server) begin() *lead {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lead != nil {
		s.lead.streams.Add(1)
	}
	return s.lead
}

// stream sends a line every tenth of a second.
func (s *server) stream(w http.ResponseWriter, r *http.Request) {
	l := s.begin()
	if l == nil {
		http.Error(w, "this pod does not lead", http.StatusServiceUnavailable)
		return
	}
	defer l.streams.Done()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	c := http.NewResponseController(w)
	for n := 1; ; n++ {
		c.SetWriteDeadline(time.Now().Add(time.Second)) // a client that does not read holds nobody up
		if _, err := fmt.Fprintf(w, "term %s, frame %d\n", l.term, n); err != nil || c.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-l.ended:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func main() {
	s := &server{}
	http.HandleFunc("GET /", s.stream)
	http.HandleFunc("POST /leadership", s.hear)
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
