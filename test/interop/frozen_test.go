package interop_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// ice freezes a candidate's requests as a stopped process does: they are not
// even given up by their deadline until the thaw.
type ice struct {
	next   http.RoundTripper
	frozen *atomic.Bool
	thaw   <-chan struct{}
}

func (i ice) RoundTrip(r *http.Request) (*http.Response, error) {
	if i.frozen.Load() {
		<-i.thaw
	}
	return i.next.RoundTrip(r)
}

// The real client-go wakes from a freeze in which one of ours took over, is told
// to end, and releases what is no longer its own.
func TestAClientGoThatWakesAndReleasesOurLeaseMakesNoTwoLeadersOfOurs(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	cfg := config(t, p, testplane.Candidate{Namespace: ns, Pod: "theirs", Election: election})
	var frozen atomic.Bool
	thaw := make(chan struct{})
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return ice{next, &frozen, thaw} })
	they := runClientGo(t, cfg, ns, "theirs", true)
	wait(t, "client-go's lead", they.acts)
	frozen.Store(true)
	a, b := ours(t, p, ns, "a", ""), ours(t, p, ns, "b", "")
	judge(t, list(a, b))
	leads := func() bool { return a.acts() || b.acts() }
	wait(t, "our lead after the frozen one's lease", leads)

	ended, end := context.WithCancel(context.Background())
	go func() { defer end(); they.end() }()
	close(thaw)
	wait(t, "client-go's end", func() bool { return ended.Err() != nil })
	// Its release empties our record (with this version of client-go), so that
	// our leader steps down; nobody takes what a leader may still believe in.
	wait(t, "our lead being lost to their release", func() bool { return !leads() })
	if took := wait(t, "a lead of ours again", leads); took < lease-time.Second {
		t.Errorf("the emptied record was taken after %v: its leader might have acted on", took)
	}
}
