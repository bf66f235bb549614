package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
	"github.com/leader-elector/leader-elector/kubectl-leader/record"
)

// change is one event of a lock.
type change struct {
	record  record.Record
	deleted bool
}

// watcher follows the locks of a kind, over interruptions.
type watcher struct {
	c       *cluster.Client
	kind    record.Kind
	scope   listScope
	name    string // of one lock; empty: all of them
	version string // after which changes are told
	errOut  io.Writer

	interrupted bool
}

// tryAgainIn is the pause before a watch that failed is tried again.
const tryAgainIn = time.Second

// run sends changes until ctx is done. It fails where trying again is in vain.
func (w *watcher) run(ctx context.Context, to chan<- change) error {
	for {
		err := w.once(ctx, to)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case apierrors.IsResourceExpired(err), apierrors.IsGone(err):
			err = w.again(ctx, to)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
			return err
		case err == nil:
			continue
		}
		if !w.interrupted {
			w.interrupted = true
			fmt.Fprintf(w.errOut, "warning: the watch is interrupted, and tried again: %v\n", err)
		}
		select {
		case <-time.After(tryAgainIn):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// once watches until the server ends it, which it does every few minutes.
func (w *watcher) once(ctx context.Context, to chan<- change) error {
	events, err := w.c.Watch(ctx, w.kind, w.scope.namespace, w.name, metav1.ListOptions{
		LabelSelector: w.scope.selector, ResourceVersion: w.version, AllowWatchBookmarks: true,
	})
	if err != nil {
		return err
	}
	defer events.Stop()
	w.interrupted = false
	for e := range events.ResultChan() {
		if e.Type == watch.Error {
			return apierrors.FromObject(e.Object)
		}
		if m, err := meta.Accessor(e.Object); err == nil {
			w.version = m.GetResourceVersion()
		}
		r, ok := cluster.Read(e.Object)
		if !ok || e.Type == watch.Bookmark {
			continue
		}
		if err := send(ctx, to, change{record: r, deleted: e.Type == watch.Deleted}); err != nil {
			return err
		}
	}
	return nil
}

// again reads the locks where the server no longer knows what changed since.
func (w *watcher) again(ctx context.Context, to chan<- change) error {
	records, version, err := readKind(ctx, w.c, w.kind, w.scope)
	if err != nil {
		return err
	}
	w.version = version
	for _, r := range records {
		if w.name != "" && r.Name != w.name {
			continue
		}
		if err := send(ctx, to, change{record: r}); err != nil {
			return err
		}
	}
	return nil
}

func send(ctx context.Context, to chan<- change, ch change) error {
	select {
	case to <- ch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// versionOf is a record's version, to watch from.
func versionOf(r *record.Record) string { return strconv.FormatUint(r.Version, 10) }
