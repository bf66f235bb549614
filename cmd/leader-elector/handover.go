package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/status"
)

// handOver is what POST /step-down does.
func handOver(ctx context.Context, e *elector.Elector, to string) (heir string, err error) {
	heir, err = e.HandOver(ctx, to)
	if errors.Is(err, elector.ErrRefused) {
		return "", status.Refusal(strings.TrimPrefix(err.Error(), elector.ErrRefused.Error()+": "))
	}
	return heir, err
}

// successor waits until somebody else is seen leading.
func successor(ctx context.Context, e *elector.Elector) string {
	for s := range e.Changes(ctx) {
		if s.Leader != "" && s.Leader != s.ID {
			return s.Leader
		}
	}
	return ""
}

// stepDown asks the sidecar of this pod to hand over, and says in one line what
// came of it. Where there is nothing to hand over, it is done: that is what a
// preStop hook needs. Whoever names a successor is told whether that one leads.
func (q *question) stepDown(ctx context.Context, stdout io.Writer) error {
	body, path := "", "/step-down"
	if q.to != "" {
		body = jsonText(map[string]string{"to": q.to})
	}
	if q.wait {
		// The sidecar gives its answer before this side gives up.
		path += "?wait=" + (q.timeout - min(q.timeout/4, 500*time.Millisecond)).String()
	}
	var a status.HandedOver
	if err := q.send(ctx, http.MethodPost, path, body, &a); err != nil {
		return err
	}
	if !a.HandedOver && a.Reason == "" {
		return q.stranger(http.MethodPost, path, "no reason")
	}
	switch {
	case a.HandedOver && q.wait && a.Leader == "":
		return fmt.Errorf("handed over to %q, but nobody was seen leading within %v", a.To, q.timeout)
	case a.HandedOver && q.wait:
		fmt.Fprintf(stdout, "handed over to %q; %q leads\n", a.To, a.Leader)
	case a.HandedOver:
		fmt.Fprintf(stdout, "handed over to %q\n", a.To)
	case q.to != "":
		return fmt.Errorf("not handed over to %q: %s", q.to, a.Reason)
	case a.Paused:
		fmt.Fprintf(stdout, "nothing was handed over: the election is paused (%s)\n", role(a.IsLeader))
	case !a.IsLeader:
		fmt.Fprintf(stdout, "nothing to hand over: %s\n", a.Reason)
	default:
		return fmt.Errorf("not handed over: %s; this pod goes on leading", a.Reason)
	}
	return nil
}

func role(leads bool) string {
	if leads {
		return "this pod goes on leading"
	}
	return "this pod does not lead"
}
