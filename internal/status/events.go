package status

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Limits of GET /events.
const (
	maxListeners = 64
	// heartbeat is how often a silent stream shows that it stands. Proxies end
	// what is silent for a minute.
	heartbeat = 15 * time.Second
	// slowest is how long a client may take to take what it is sent. The kernel
	// holds some tens of kilobytes for it beside that.
	slowest = 5 * time.Second
)

// events streams the state as Server-Sent Events (WHATWG HTML, 9.2): the
// present one first, then one event per change. It is a state and not a log: of
// changes that come faster than a client reads, it gets the last.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if s.listeners.Add(1) > maxListeners {
		s.listeners.Add(-1)
		w.Header().Set("Retry-After", "5")
		plain(w, http.StatusServiceUnavailable, fmt.Sprintf("%d clients listen already", maxListeners))
		return
	}
	defer s.listeners.Add(-1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		return
	}
	c := http.NewResponseController(w)
	c.SetReadDeadline(time.Time{}) // it would end the request's context too
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	send := func(format string, args ...any) bool {
		c.SetWriteDeadline(time.Now().Add(slowest))
		_, err := fmt.Fprintf(w, format, args...)
		return err == nil && c.Flush() == nil
	}
	views := make(chan View)
	go func() { // it ends with ctx
		defer close(views)
		for v := range s.cfg.Changes(ctx) {
			select {
			case views <- v:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() { // so that nothing of this request is left when it ends
		cancel()
		for range views {
		}
	}()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for id := 1; ; {
		select {
		case v, ok := <-views:
			data, err := json.Marshal(v)
			if !ok || err != nil || !send("id: %d\nevent: status\ndata: %s\n\n", id, data) {
				return
			}
			id++
			beat.Reset(heartbeat)
		case <-beat.C:
			if !send(": still here\n\n") {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
