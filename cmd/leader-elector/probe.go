package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/leader-elector/leader-elector/internal/status"
)

// probes are what can be asked, and where.
var probes = map[string]string{"leader": "/leader", "standby": "/standby", "ready": "/readyz"}

// probe says in one line whether the answer is yes; no is an error.
func (q *question) probe(ctx context.Context, stdout io.Writer) error {
	path := probes[q.about]
	r, err := q.exchange(ctx, http.MethodGet, path, "")
	if err != nil {
		return err
	}
	yes := r.code == http.StatusOK
	if !yes && r.code != http.StatusServiceUnavailable {
		return q.stranger(http.MethodGet, path, fmt.Sprintf("%d %q", r.code, r.said()))
	}
	if q.about == "ready" {
		if !yes {
			return errors.New(r.said())
		}
		fmt.Fprintln(stdout, r.said())
		return nil
	}
	var v status.View
	if err := json.Unmarshal(r.body, &v); err != nil || v.Election == "" {
		return q.stranger(http.MethodGet, path, fmt.Sprintf("%d %q", r.code, r.said()))
	}
	if !yes {
		why := v.Waiting
		if v.IsLeader {
			why = v.Identity + " leads"
		} else if v.LastError != "" {
			why += "; " + v.LastError
		}
		return fmt.Errorf("not %s: %s", q.about, why)
	}
	if v.IsLeader {
		fmt.Fprintf(stdout, "%s leads, term %s\n", v.Identity, *v.Term)
	} else {
		fmt.Fprintf(stdout, "%s stands by; %s leads\n", v.Identity, orNobody(v.Leader))
	}
	return nil
}

func orNobody(leader string) string {
	if leader == "" {
		return "nobody"
	}
	return leader
}
