package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/pflag"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/notify"
	"github.com/leader-elector/leader-elector/internal/status"
)

// appOptions are the flags that say how the app is told.
type appOptions struct {
	notifyURL, stateFile string
	handoverTimeout      time.Duration
}

var appGroup = []string{"notify-url", "state-file", "handover-timeout"}

func (o *options) appFlags(f *pflag.FlagSet) {
	f.StringVar(&o.notifyURL, "notify-url", "", "`URL` of the app in this pod that is told by POST who leads (http:// or https://; no HOST is 127.0.0.1); the lock is released only when it has accepted, by 2xx, that it does not lead any more")
	f.StringVar(&o.stateFile, "state-file", "", "`PATH` of a file, in a folder shared with the app, that says whether this pod leads, its term and until when")
	f.DurationVar(&o.handoverTimeout, "handover-timeout", elector.DefaultHandoverTimeout, "`DURATION` that the app may take to stop leading; after it the lock is not released, and the lease runs out")
}

// checkApp finds the faults of these flags.
func (o *options) checkApp() (faults []error) {
	if o.handoverTimeout <= 0 {
		faults = append(faults, fmt.Errorf("%s=%v must be positive", o.source("handover-timeout"), o.handoverTimeout))
	}
	if o.notifyURL != "" {
		cfg := notify.PostConfig{URL: o.notifyURL}
		if err := cfg.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("%s is no address of an app: %w", o.source("notify-url"), err))
		} else if o.asksUs(o.notifyURL) {
			faults = append(faults, fmt.Errorf("%s tells the sidecar itself (--http=%s): name the app's own port", o.source("notify-url"), o.http))
		}
	}
	if o.stateFile != "" && !filepath.IsAbs(o.stateFile) {
		faults = append(faults, fmt.Errorf("%s=%q must be an absolute path, the same for the app", o.source("state-file"), o.stateFile))
	}
	return faults
}

// told are the ways in which the app is told; nil: it is not told in that way.
type told struct {
	file *notify.File
	post *notify.Post
	fit  func(fit bool, reason string) // hears whether the app of post lets this candidate lead; nil: that is not asked
}

// startTelling makes them. What they need of the election and of the other
// parts is asked when it is told, as those are made later.
func (o *options) startTelling(e func() *elector.Elector, show func(elector.Status) status.View, deaf func(address string) bool, fit *fitness, counts counts, log *slog.Logger) (t told, err error) {
	if o.notifyURL != "" {
		cfg := notify.PostConfig{
			URL: o.notifyURL, Patience: o.handoverTimeout, Log: log, Told: counts.hook(hookPost),
			View: func() (string, bool, any) { s := e().Status(); return s.Leader, s.IsLeader, show(s) },
		}
		address := cfg.Address()
		cfg.Deaf = func() bool { return deaf(address) }
		if o.command == nil { // the app of run is there only while it leads
			t.fit = fit.voice()
			cfg.Fit = t.fit
		}
		t.post, err = notify.NewPost(cfg)
		if err != nil {
			return t, err
		}
	}
	if o.stateFile != "" {
		t.file, err = notify.NewFile(notify.FileConfig{
			Path: o.stateFile, Log: log, Told: counts.hook(hookFile), Election: o.election, Namespace: o.namespace, ID: o.id,
			Status: func() elector.Status { return e().Status() },
		})
	}
	return t, err
}

// followers are those that follow the lead: the file and the app know of a lead
// before the traffic follows, and the traffic is gone before they hear of its end.
func (t told) followers() (all []elector.Follower) {
	if t.file != nil {
		all = append(all, t.file)
	}
	if t.post != nil {
		all = append(all, t.post)
	}
	return all
}

// begin tells the app who leads; what it returns ends that, when there is
// nothing more to tell.
func (t told) begin(e *elector.Elector) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	if t.fit != nil {
		t.fit(t.post.Unheard())
	}
	if t.post != nil {
		work.Go(func() { t.post.Run(ctx) })
	}
	if len(t.followers()) > 0 {
		work.Go(func() {
			for s := range e.Changes(ctx) {
				t.sees(s)
			}
		})
	}
	return func() { cancel(); work.Wait() }
}

func (t told) sees(s elector.Status) {
	if t.post != nil {
		t.post.Sees(s.Leader, s.IsLeader)
	}
	if t.file != nil {
		t.file.Sees()
	}
}

// show adds the section of /status, and the app's reason where nobody else has one.
func (t told) show(v status.View) status.View {
	if t.post == nil {
		return v
	}
	shown := t.post.Posting()
	v.Notify = shown
	if t.fit != nil && !v.Health.Fit && v.Health.Reason == "" {
		v.Health.Reason = shown.Unfit
	}
	return v
}
