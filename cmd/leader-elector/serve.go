package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/status"
)

func (o *options) config(log *slog.Logger) elector.Config {
	return elector.Config{
		Election: o.election, Namespace: o.namespace, ID: o.id, PodUID: o.podUID,
		Lock: o.lock, NewLock: o.newLock, TTL: o.ttl, RenewEvery: o.renewEvery,
		Server: o.access.Server, NewClient: o.access.NewClient, UserAgent: o.access.UserAgent, HandoverTimeout: o.handoverTimeout,
		ServerFrom: o.access.AddressFrom, CredentialHint: o.access.CredentialHint, Logger: log,
	}
}

// logger writes to w, in UTC.
func (o *options) logger(w io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{Level: o.level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			a.Value = slog.TimeValue(a.Value.Time().UTC())
		}
		return a
	}}
	if o.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

// serve campaigns until ctx is done. The port is bound before the campaign
// begins, so that a leader that cannot be asked never exists; and it is served
// until the lead has been handed over, so that the last answers say "not me".
func (o *options) serve(ctx context.Context, stderr io.Writer) error {
	log := o.logger(stderr)
	counts := o.count()
	var e *elector.Elector // what follows it asks for it later
	itself := func() *elector.Elector { return e }
	record, err := o.startEvents(counts, log)
	if err != nil {
		return err
	}
	traffic, err := o.startRouting(itself, record.routing, log)
	if err != nil {
		return err
	}
	var app *monitor
	fit := &fitness{}
	show := func(s elector.Status) status.View { return traffic.show(o.tended.show(app.show(view(s)))) }
	told, err := o.startTelling(itself, show, func(address string) bool { return app != nil && app.Deaf(address) }, fit, counts, log)
	if err != nil {
		return err
	}
	cfg := o.config(log)
	cfg.Notices = record.notices(counts)
	followers := told.followers()
	if traffic.follower != nil {
		followers = append(followers, traffic.follower)
	}
	cfg.Follower = o.followed(append(followers, counts.Metrics)...)
	if e, err = elector.New(cfg); err != nil {
		return err
	}
	fit.e = e
	if app, err = o.startHealth(fit.voice(), log); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if o.http != "" {
		listener, err := net.Listen("tcp", o.http)
		if err != nil {
			return fmt.Errorf("--http=%s: %w", o.http, err)
		}
		server := status.New(status.Config{
			View:  func() status.View { return told.show(show(e.Status())) },
			Alive: e.Alive, Log: log,
			Metrics: counts.handler(e, show),
			Changes: func(ctx context.Context) iter.Seq[status.View] {
				return func(yield func(status.View) bool) {
					for s := range e.Changes(ctx) {
						if !yield(show(s)) {
							return
						}
					}
				}
			},
			StepDown:  func(ctx context.Context, to string) (string, error) { return handOver(ctx, e, to) },
			Successor: func(ctx context.Context) string { return successor(ctx, e) },
		})
		served := make(chan struct{})
		go func() {
			defer close(served)
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				cancel(fmt.Errorf("the HTTP server ended: %w", err))
			}
		}()
		defer func() { server.Shutdown(); <-served }()
	}
	log.Info("campaigning", "version", version(), "election", o.namespace+"/"+o.election, "id", o.id,
		"lock", o.lock, "ttl", o.ttl.String(), "http", o.http, "server", o.access.Server)
	ends := []func(){app.begin(), traffic.begin(), told.begin(e), record.begin()}
	err = e.Run(ctx)
	for _, end := range ends {
		end()
	}
	if err != nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	log.Info("done")
	return nil
}

// view is a status in the words of HTTP.
func view(s elector.Status) status.View {
	v := status.View{
		Version:  version(),
		Election: s.Election, Namespace: s.Namespace, Lock: s.Lock, Identity: s.ID,
		Leader: s.Leader, IsLeader: s.IsLeader, Since: known(s.Since),
		ValidForSeconds: s.ValidFor.Round(time.Millisecond).Seconds(), Transitions: s.Transitions,
		Health: status.Health{Fit: s.Fit}, Paused: s.Paused, HolderExpired: s.HolderExpired,
		Ready: s.Ready, CanTakeOver: s.CanTakeOver, Watching: s.Watching, Waiting: s.Waiting,
		LastError: s.LastError, LastErrorAt: known(s.LastErrorAt),
	}
	v.Term = decimal(s.Term)
	for _, l := range s.Locks {
		v.Locks = append(v.Locks, status.Lock{
			Lock: l.Lock, Leader: l.Leader, Held: l.Held, Term: decimal(l.Term),
			Paused: l.Paused, HolderExpired: l.HolderExpired, Waiting: l.Waiting,
		})
	}
	return v
}

// decimal is a term as a number for people; none where there is none.
func decimal(t elector.Term) *string {
	if t == 0 {
		return nil
	}
	s := t.String()
	return &s
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
