package status

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Refusal is the error of a hand-over that did not come about for a reason that
// lies in the election; its text is the reason.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// HandedOver is the answer of POST /step-down: 200 where the lock was released
// for whoever accepted it, 409 where the hand-over was refused, 503 where the
// election does not run.
type HandedOver struct {
	HandedOver bool   `json:"handedOver"`
	To         string `json:"to,omitempty"`     // who accepted
	Leader     string `json:"leader,omitempty"` // who was seen leading after it; with ?wait only
	Reason     string `json:"reason,omitempty"` // why it was not handed over
	IsLeader   bool   `json:"isLeader"`         // whether this pod leads after it
	Paused     bool   `json:"paused"`           // whether the election is paused
}

// Limits of POST /step-down.
const (
	maxStepDownBody = 4 << 10
	maxWait         = time.Minute
)

// stepDown answers POST /step-down.
func (s *Server) stepDown(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	if why := notFromHere(r); why != "" {
		plain(w, http.StatusForbidden, why)
		return
	}
	wait, err := waiting(r)
	if err != nil {
		plain(w, http.StatusBadRequest, err.Error())
		return
	}
	to, err := wanted(w, r)
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		plain(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is longer than %d bytes", tooLong.Limit))
		return
	}
	if err != nil {
		plain(w, http.StatusBadRequest, err.Error())
		return
	}
	// A hand-over lasts as long as the app takes to stop. The server's time-outs
	// are for clients that are slow; the reading one would end the request's
	// context too. What bounds the answer is the election.
	c := http.NewResponseController(w)
	c.SetReadDeadline(time.Time{})
	c.SetWriteDeadline(time.Time{})
	code, answer := s.handOver(r.Context(), to, arrived.Add(wait))
	c.SetWriteDeadline(time.Now().Add(requestTimeout))
	write(w, code, answer)
}

// handOver asks the election, and where it was handed over waits until somebody
// else is seen leading, until the deadline at the latest.
func (s *Server) handOver(ctx context.Context, to string, deadline time.Time) (code int, a HandedOver) {
	heir, err := s.cfg.StepDown(ctx, to)
	code, a = http.StatusOK, HandedOver{HandedOver: err == nil, To: heir}
	if refusal := Refusal(""); errors.As(err, &refusal) {
		code, a.Reason = http.StatusConflict, err.Error()
	} else if err != nil {
		code, a.Reason = http.StatusServiceUnavailable, err.Error()
	}
	if a.HandedOver && time.Until(deadline) > 0 {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		a.Leader = s.cfg.Successor(ctx)
	}
	v := s.cfg.View()
	a.IsLeader, a.Paused = v.IsLeader, v.Paused
	return code, a
}

// notFromHere says why a client may not change anything. The network decides
// who reads; who changes must be in this pod: it comes from a loopback address,
// or from the very address that it asks, which the kernel lets no packet from
// outside claim. A browser beside a `kubectl port-forward` does as well, in the
// name of any page that it shows, and gives itself away by what it sends.
func notFromHere(r *http.Request) string {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return "the client's address is not known"
	}
	from := remote.Addr().Unmap()
	own := false
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		at, err := netip.ParseAddrPort(local.String())
		own = err == nil && at.Addr().Unmap() == from
	}
	if !from.IsLoopback() && !own {
		return fmt.Sprintf("%s only answers clients in this pod, by its loopback address, not %v; elsewhere: kubectl exec POD -c CONTAINER -- /leader-elector step-down", r.URL.Path, from)
	}
	for _, header := range []string{"Origin", "Sec-Fetch-Site"} {
		if r.Header.Get(header) != "" {
			return r.URL.Path + " does not answer browsers (the request has the header " + header + ")"
		}
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if _, err := netip.ParseAddr(host); err != nil && host != "" && !strings.EqualFold(host, "localhost") {
		return fmt.Sprintf("%s is asked by an address or as localhost, not as %q", r.URL.Path, r.Host)
	}
	return ""
}

// waiting reads ?wait: true, or for how long.
func waiting(r *http.Request) (time.Duration, error) {
	switch value := r.URL.Query().Get("wait"); value {
	case "", "false":
		return 0, nil
	case "true":
		return maxWait, nil
	default:
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("wait=%q: write true or a duration, such as 10s", value)
		}
		return min(d, maxWait), nil
	}
}

// wanted reads from the body to whom the lead is offered. Empty: to anybody.
func wanted(w http.ResponseWriter, r *http.Request) (to string, err error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxStepDownBody))
	if err != nil {
		return "", fmt.Errorf("the body cannot be read: %w", err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return "", nil
	}
	var body struct {
		To string `json:"to"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return "", fmt.Errorf(`the body is neither empty nor {"to":"POD"}: %w`, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New(`the body goes on after {"to":"POD"}`)
	}
	return body.To, nil
}
