package interop_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

const leaderNote = "control-plane.alpha.kubernetes.io/leader"

// old is a candidate that reads and writes the record as leader-elector:0.5
// does: RFC 3339 in seconds, transitions that fall to 0 at each renewal, its own
// wait since it last saw the record change, no release.
type old struct {
	t    *testing.T
	p    *testplane.Plane
	path string
	name string

	mu   sync.Mutex
	acts bool
	seen string
	at   time.Time
	stop chan struct{}
	done chan struct{}
}

// note is 0.5's record, in its order and spelling.
type note struct {
	HolderIdentity       string `json:"holderIdentity"`
	LeaseDurationSeconds int    `json:"leaseDurationSeconds"`
	AcquireTime          string `json:"acquireTime"`
	RenewTime            string `json:"renewTime"`
	LeaderTransitions    int    `json:"leaderTransitions"`
}

func runOld(t *testing.T, p *testplane.Plane, ns, name string) *member {
	t.Helper()
	o := &old{t: t, p: p, path: "/api/v1/namespaces/" + ns + "/endpoints", name: name, stop: make(chan struct{}), done: make(chan struct{})}
	body := fmt.Sprintf(`{"metadata":{"name":%q}}`, election)
	if code, text := p.Do(t, http.MethodPost, o.path, []byte(body)); code != http.StatusCreated && code != http.StatusConflict {
		t.Fatalf("%d %s", code, text)
	}
	o.path += "/" + election
	go o.loop()
	end := sync.OnceFunc(func() { close(o.stop); <-o.done })
	t.Cleanup(end)
	return &member{name: name, end: end, acts: func() bool { o.mu.Lock(); defer o.mu.Unlock(); return o.acts }}
}

// loop polls at a quarter of the ttl, as 0.5 does.
func (o *old) loop() {
	defer close(o.done)
	tick := time.NewTicker(lease / 4)
	defer tick.Stop()
	for {
		acts := o.turn()
		o.mu.Lock()
		o.acts = acts
		o.mu.Unlock()
		select {
		case <-tick.C:
		case <-o.stop:
			o.mu.Lock()
			o.acts = false
			o.mu.Unlock()
			return
		}
	}
}

// turn is its tryAcquireOrRenew.
func (o *old) turn() bool {
	_, body := o.p.Do(o.t, http.MethodGet, o.path, nil)
	var object struct {
		Metadata map[string]any `json:"metadata"`
	}
	if json.Unmarshal(body, &object) != nil {
		return false
	}
	notes, _ := object.Metadata["annotations"].(map[string]any)
	text, _ := notes[leaderNote].(string)
	now := time.Now().UTC().Format(time.RFC3339)
	next := note{HolderIdentity: o.name, LeaseDurationSeconds: int(lease / time.Second), AcquireTime: now, RenewTime: now}
	if text != "" {
		var was note
		if json.Unmarshal([]byte(text), &was) != nil {
			return false
		}
		if text != o.seen {
			o.seen, o.at = text, time.Now()
		}
		if was.HolderIdentity != o.name && time.Since(o.at) < lease {
			return false
		}
		if was.HolderIdentity == o.name {
			next.AcquireTime = was.AcquireTime
		} else {
			next.LeaderTransitions = was.LeaderTransitions + 1
		}
	}
	encoded, err := json.Marshal(next)
	if err != nil {
		return false
	}
	if notes == nil {
		notes = map[string]any{}
	}
	notes[leaderNote] = string(encoded)
	object.Metadata["annotations"] = notes
	put, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Endpoints", "metadata": object.Metadata})
	if err != nil {
		return false
	}
	code, _ := o.p.Do(o.t, http.MethodPut, o.path, put)
	if code == http.StatusOK {
		o.seen, o.at = string(encoded), time.Now()
	}
	return code == http.StatusOK
}

func TestBeside05OnEndpointsOneLeads(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	they := runOld(t, p, ns, "old")
	wait(t, "0.5's lead", they.acts)
	we := ours(t, p, ns, "ours", "endpoints")
	judge(t, list(we, they))
	// A whole lease and more beside a holder that renews, transitions at 0.
	held := time.NewTimer(2 * lease)
	<-held.C
	if !they.acts() || we.acts() {
		t.Fatalf("0.5 acts: %v, we: %v", they.acts(), we.acts())
	}
	they.end() // it never releases
	if took := wait(t, "our lead after 0.5's lease", we.acts); took < lease-2*time.Second {
		t.Errorf("we followed 0.5 after %v, before its lease was over", took)
	}
	// And back: 0.5 reads what we write, waits while we renew, and follows our end.
	again := runOld(t, p, ns, "old-2")
	judge(t, list(we, again))
	held.Reset(2 * lease)
	<-held.C
	if again.acts() || !we.acts() {
		t.Fatalf("0.5 acts: %v, we: %v", again.acts(), we.acts())
	}
	we.end()
	wait(t, "0.5 following us", again.acts)
}
