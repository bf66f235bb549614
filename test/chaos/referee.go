package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// askEvery is how often each candidate is asked.
const askEvery = 5 * time.Millisecond

// referee asks every candidate whether it leads, again and again.
//
// A 200 proves that the candidate led at some instant between the sending of
// the question and the arrival of the answer, and no more: a frozen process may
// answer much later than it computed. What it proves of several answers follows
// from two promises. A lead is one stretch of time: so who led for term t before
// one instant and after another led all the while. And terms rise: whoever leads
// for term t began after the end of every lower one. Both together are broken,
// provably, if and only if a question that was answered "I lead for t" was sent
// after an answer "I lead for u" had arrived, where u is higher than t. That is
// one rule for two leaders at once and for terms that fall.
type referee struct {
	begun time.Time

	mu     sync.Mutex
	leads  map[uint64]*lead
	names  []nameClaim
	asked  int
	broken func(string)
}

// lead is what was proven of one term.
type lead struct {
	who         string
	first, last time.Duration // arrival of the first 200, sending of the last
	notAt       time.Duration // sending of the last question that was answered "no" after the first 200; 0: none
}

// nameClaim is a candidate's answer of its own name.
type nameClaim struct {
	who           string
	sent, arrived time.Duration
}

func newReferee(broken func(string)) *referee {
	return &referee{begun: time.Now(), leads: map[uint64]*lead{}, broken: broken}
}

func (r *referee) now() time.Duration { return time.Since(r.begun) }

// watch asks one candidate until the context ends. Its questions follow one
// another: the next is sent when the last was answered.
func (r *referee) watch(ctx context.Context, who, address string) {
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}, Timeout: time.Minute}
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	var current uint64 // the term of its last 200
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if n%4 == 3 {
			r.askName(ctx, client, who, address)
			continue
		}
		current = r.askLead(ctx, client, who, address, current)
	}
}

func (r *referee) askLead(ctx context.Context, client *http.Client, who, address string, current uint64) uint64 {
	sent := r.now()
	status, body := get(ctx, client, "http://"+address+"/leader")
	arrived := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if status != 0 {
		r.asked++
	}
	switch status {
	case http.StatusOK:
		var view struct {
			Term *uint64 `json:",string"`
		}
		if json.Unmarshal(body, &view) != nil || view.Term == nil {
			r.broken(fmt.Sprintf("%s answers 200 on /leader without a term: %s", who, body))
			return current
		}
		r.claim(who, *view.Term, sent, arrived)
		return *view.Term
	case http.StatusServiceUnavailable:
		if l := r.leads[current]; l != nil && l.who == who {
			l.notAt = sent
		}
	}
	return current
}

// claim notes that a candidate led for a term at some instant. The mutex is held.
func (r *referee) claim(who string, term uint64, sent, arrived time.Duration) {
	l := r.leads[term]
	if l == nil {
		l = &lead{who: who, first: arrived, last: sent}
		r.leads[term] = l
	}
	l.first, l.last = min(l.first, arrived), max(l.last, sent)
	if l.who != who {
		r.broken(fmt.Sprintf("%s and %s both lead for term %d", l.who, who, term))
	}
	if l.notAt != 0 && l.who == who {
		r.broken(fmt.Sprintf("%s leads again for term %d at %v, which it did not at %v", who, term, sent, l.notAt))
		l.notAt = 0
	}
	for other, o := range r.leads {
		if other > term && o.first < sent {
			r.broken(fmt.Sprintf("%s leads for term %d when asked at %v, after %s had led for term %d at %v", who, term, sent, o.who, other, o.first))
		}
		if other < term && arrived < o.last {
			r.broken(fmt.Sprintf("%s leads for term %d at %v, before %s leads for term %d when asked at %v", who, term, arrived, o.who, other, o.last))
		}
	}
}

// askName asks for the name of the leader. Who names itself says that it leads;
// the name of another is news that may be old.
func (r *referee) askName(ctx context.Context, client *http.Client, who, address string) {
	sent := r.now()
	status, body := get(ctx, client, "http://"+address+"/")
	arrived := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if status == http.StatusOK && string(body) == fmt.Sprintf(`{"name":%q}`, who) {
		r.names = append(r.names, nameClaim{who, sent, arrived})
	}
}

// judgeNames holds the names against the leads: who names itself within a
// stretch of time through which another has provably led, is a second leader.
func (r *referee) judgeNames() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.names {
		for term, l := range r.leads {
			if l.who != c.who && l.first <= c.sent && c.arrived <= l.last {
				r.broken(fmt.Sprintf("%s names itself between %v and %v, while %s leads for term %d", c.who, c.sent, c.arrived, l.who, term))
			}
		}
	}
}

// leader is the candidate of the newest 200 that is not older than a moment.
func (r *referee) leader() (who string, term uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for t, l := range r.leads {
		if t > term {
			who, term = l.who, t
		}
	}
	if l := r.leads[term]; l == nil || r.now()-l.last > 200*time.Millisecond {
		return "", term
	}
	return who, term
}

// summary is how many leads there were, and for how long one led provably.
func (r *referee) summary() (leads, moves int, led time.Duration, asked int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.leads {
		led += max(0, l.last-l.first)
	}
	return len(r.leads), moved(r.leads), led, r.asked
}

// moved counts the leads whose predecessor was another candidate.
func moved(leads map[uint64]*lead) (n int) {
	var terms []uint64
	for t := range leads {
		terms = append(terms, t)
	}
	sortTerms(terms)
	for i := 1; i < len(terms); i++ {
		if leads[terms[i]].who != leads[terms[i-1]].who {
			n++
		}
	}
	return n
}

func get(ctx context.Context, client *http.Client, url string) (int, []byte) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, body
}
