package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	elector "github.com/leader-elector/leader-elector"
)

// The headers of a POST.
const (
	HeaderEvent    = "Leader-Elector-Event"    // "lead", "stop" or "change"
	HeaderSequence = "Leader-Elector-Sequence" // rises by one with each piece of news, and over our restarts on a machine
	HeaderMissed   = "Leader-Elector-Missed"   // how many pieces were dropped since the last that was accepted
)

// The events.
const (
	EventLead   = "lead"   // this pod leads from now on
	EventRenew  = "renew"  // it still does, and may for longer
	EventStop   = "stop"   // this pod does not lead; no other leads before it is accepted
	EventChange = "change" // somebody else leads, or nobody
)

// Limits.
const (
	maxQueue     = 16
	maxAnswer    = 4 << 10
	firstBackoff = 50 * time.Millisecond
	lastBackoff  = time.Second
	firstPause   = 10 * time.Second // without the lead, for an app that refused it; doubled each time
	lastPause    = 5 * time.Minute
)

// Post tells the app by POSTs, one at a time and in order. It is an
// elector.Follower: the lead is given up if the app does not accept the news of
// it, and the lock is released only when it has accepted the news of the end.
type Post struct {
	cfg    PostConfig
	url    string
	client *http.Client

	mu     sync.Mutex
	queue  []*news
	now    *news // under way
	seq    uint64
	untold bool // nothing was told yet
	missed int
	leader string        // of the last news
	last   *news         // that was begun
	fault  error         // of its last attempt; nil: none, or it was accepted
	wake   chan struct{} // holds a token when there is something in the queue
	ended  bool

	owed     *news         // a stop without which the app may act; nil: none
	refusals int           // in a row
	refused  string        // why the app did not take the lead
	pause    time.Time     // until when it is not asked to again
	forgive  chan struct{} // holds a token when the pause is new
	telling  sync.Mutex    // keeps the calls of Fit in order
	fit      bool          // what Fit was told

	end      func() *news   // tells the end of the present lead, once; of Lead and Stop alone
	troubled bool           // the last attempt failed, and that was told; the worker's own
	work     sync.WaitGroup // what Lead began
}

// news is one thing to tell.
type news struct {
	event  string
	seq    uint64
	body   any
	missed int       // what the last attempt told
	by     time.Time // until when it is tried; zero: until something newer comes

	stale context.Context // done: something newer has come
	drop  context.CancelFunc
	done  chan struct{} // closed when it was accepted or given up
	err   error         // why it was not accepted; to be read after done
}

var errStale = errors.New("something newer has come")

// NewPost makes a Post; nothing is told before Run.
func NewPost(cfg PostConfig) (*Post, error) {
	u, err := cfg.target()
	if err != nil {
		return nil, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &Post{
		cfg: cfg, url: u.String(), wake: make(chan struct{}, 1), forgive: make(chan struct{}, 1),
		// An app that has heard a process of ours that died compares our news with
		// its; the boot clock has moved on by more than that one has told.
		seq: uint64(elector.BootTime() / time.Microsecond), untold: true,
		client: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			// A connection that is kept would block an app that serves one at a time.
			Transport: &http.Transport{Proxy: nil, DialContext: (&net.Dialer{Control: onlyInThisPod}).DialContext, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10, Protocols: protocols},
		},
	}, nil
}

// Lead tells the app that it leads, and returns when the app has accepted that,
// so that what follows the lead after us, such as traffic, finds an app that
// knows; if the app does not accept it in time, the lead is given up. Each
// renewal is told too, so that an app that was restarted meanwhile hears of its
// lead, and one that keeps a deadline of its own can move it on; nothing follows
// if those are not accepted.
func (p *Post) Lead(ctx context.Context, _ elector.Term) error {
	end := sync.OnceValue(func() *news { return p.tell(context.Background(), EventStop, time.Time{}) })
	p.end = end
	// The app hears of the end at once. Stop comes when all that follows the lead
	// after us has stopped, which takes a while if the API server is away, and
	// trust may be over already.
	context.AfterFunc(ctx, func() { end() })
	first := p.tell(ctx, EventLead, time.Now().Add(p.cfg.Patience))
	select {
	case <-first.done:
	case <-ctx.Done():
		return nil
	}
	if first.err != nil && ctx.Err() == nil {
		p.refuse(first.err)
		return fmt.Errorf("the app did not accept the news that it leads: %w", first.err)
	}
	p.took()
	p.work.Go(func() {
		for _, moved := elector.Trusted(ctx); ; _, moved = elector.Trusted(ctx) {
			select {
			case <-moved:
			case <-ctx.Done():
				return
			}
			<-p.tell(ctx, EventRenew, time.Now().Add(p.cfg.Patience)).done
		}
	})
	return nil
}

// Stop tells the app that it does not lead any more, and waits until it has
// accepted that. One that health checks know to be dead or frozen is not waited
// for: the news reaches it when it wakes. A port that is closed says less, as an
// app may close it first and act on while it ends.
func (p *Post) Stop(ctx context.Context, why elector.Reason) error {
	end := p.end
	if p.end = nil; end == nil {
		end = func() *news { return p.tell(context.Background(), EventStop, time.Time{}) }
	}
	n := end()
	if why == elector.ReasonUnfit && p.cfg.Deaf != nil && p.cfg.Deaf() {
		p.cfg.Log.Info("the app is not waited for: its health checks get no answer")
		p.owes(n)
		return nil
	}
	select {
	case <-n.done:
		return n.err
	case <-ctx.Done():
		counter(p.cfg.Told).count(EventStop, TimedOut)
		p.owes(n)
		return fmt.Errorf("the app has not accepted that it does not lead any more: %w", ctx.Err())
	}
}

// Sees tells the app who leads, if that is somebody else than before and not
// this pod, whose leads Lead and Stop tell.
func (p *Post) Sees(leader string, self bool) {
	p.mu.Lock()
	same := self || leader == p.leader
	p.mu.Unlock()
	if !same {
		p.tell(context.Background(), EventChange, time.Now().Add(p.cfg.Patience))
	}
}

// tell puts news in the queue. That of a lead or of its end replaces all that
// is older: whoever must stop need not hear first what was before.
func (p *Post) tell(ctx context.Context, event string, by time.Time) *news {
	stale, drop := context.WithCancel(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	leader, leads, body := p.cfg.View() // here, so that no news is older than the one before
	p.untold = false
	n := &news{event: event, body: body, by: by, stale: stale, drop: drop, done: make(chan struct{})}
	// The end of this lead may have been told before we got here. And no app is
	// told by a change that it leads: nobody would wait for its end.
	if stale.Err() != nil || event == EventChange && leads {
		n.end(errStale)
		return n
	}
	p.seq++
	n.seq, p.leader = p.seq, leader
	switch {
	case event == EventLead || event == EventStop:
		if p.owed != nil && event == EventStop {
			p.owed = n
		}
		p.forget(len(p.queue))
		if p.now != nil {
			p.now.drop()
		}
	case len(p.queue) == maxQueue:
		p.forget(1)
	}
	if p.ended {
		n.end(errors.New("this process ends"))
		return n
	}
	p.queue = append(p.queue, n)
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return n
}

// forget drops the oldest news that waits.
func (p *Post) forget(count int) {
	for _, n := range p.queue[:count] {
		n.end(errStale)
		p.missed++
	}
	p.queue = p.queue[count:]
}

func (n *news) end(err error) {
	n.err = err
	n.drop()
	close(n.done)
}

// Run tells until ctx is done. The first news is how things stand: an app that
// was told to lead by a process of ours that died must hear that it does not.
func (p *Post) Run(ctx context.Context) {
	defer p.work.Wait()
	defer p.close()
	p.mu.Lock()
	untold := p.untold
	p.mu.Unlock()
	if untold {
		p.owes(p.tell(ctx, EventStop, time.Time{}))
	}
	p.work.Go(func() { p.forgives(ctx) })
	for {
		n := p.next()
		if n == nil {
			select {
			case <-p.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		err := p.deliver(ctx, n)
		p.mu.Lock()
		if p.now = nil; err == nil {
			p.missed -= n.missed
			if p.owed == n {
				p.owed = nil
			}
		} else {
			p.missed++
		}
		n.end(err)
		p.mu.Unlock()
		counter(p.cfg.Told).count(n.event, resultOf(err))
		p.tellFit()
		if ctx.Err() != nil {
			return
		}
	}
}

func (p *Post) next() *news {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return nil
	}
	p.now, p.queue = p.queue[0], p.queue[1:]
	p.last, p.fault = p.now, nil
	return p.now
}

func (p *Post) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for _, n := range p.queue {
		n.end(errors.New("this process ends"))
	}
	p.queue = nil
}

// deliver tries until the app accepts, the time is over or something newer has
// come.
func (p *Post) deliver(ctx context.Context, n *news) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(n.stale, cancel)()
	if !n.by.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, n.by)
		defer cancel()
	}
	var last error
	for wait := firstBackoff; ; wait = min(2*wait, lastBackoff) {
		if n.stale.Err() != nil {
			return errStale
		}
		err := p.post(ctx, n)
		p.mu.Lock()
		p.fault = err
		p.mu.Unlock()
		if err == nil {
			if p.troubled {
				p.cfg.Log.Info("the app accepts news again", "event", n.event)
			}
			p.troubled = false
			return nil
		}
		if n.stale.Err() != nil {
			return errStale
		}
		if !p.troubled {
			p.cfg.Log.Warn("the app does not accept news", "event", n.event, "error", err)
		}
		p.troubled = true
		if ctx.Err() == nil || last == nil {
			last = err // the end of our patience says less
		}
		if pause(ctx, wait); ctx.Err() != nil {
			return last
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// post is one attempt. Only 2xx accepts.
func (p *Post) post(ctx context.Context, n *news) error {
	body, err := json.Marshal(n.body)
	if err != nil {
		return err
	}
	// News without an end is tried again where an app took it and never answered.
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	p.mu.Lock()
	n.missed = p.missed
	p.mu.Unlock()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "leader-elector")
	r.Header.Set(HeaderEvent, n.event)
	r.Header.Set(HeaderSequence, strconv.FormatUint(n.seq, 10))
	r.Header.Set(HeaderMissed, strconv.Itoa(n.missed))
	resp, err := p.client.Do(r)
	if err != nil {
		// The URL in the error may hold a secret.
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err
		}
		return err
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 != 2 {
		return &answered{fmt.Sprintf("it answers %d %s", resp.StatusCode, strings.TrimSpace(string(said[:min(len(said), 200)])))}
	}
	return nil
}
