// Package status is the HTTP face of a candidate. What it shows is computed by
// its owner for each request, so no answer is older than the question. It only
// reads, but for one request that whoever is in the pod may make: to hand over.
package status

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// View is what a candidate shows of itself. Its JSON is the body of /status,
// /leader and /standby.
type View struct {
	Version         string     `json:"version"` // of this program
	Election        string     `json:"election"`
	Namespace       string     `json:"namespace"`
	Lock            string     `json:"lock"`
	Identity        string     `json:"identity"`
	Leader          string     `json:"leader"` // empty: nobody, or nobody known
	IsLeader        bool       `json:"isLeader"`
	Term            *string    `json:"term"`            // decimal; null: nobody leads, or a leader without terms
	Since           *time.Time `json:"since"`           // by the leader's clock; null: unknown
	ValidForSeconds float64    `json:"validForSeconds"` // how long this pod may lead without another renewal
	Transitions     int        `json:"transitions"`
	Health          Health     `json:"health"`
	Routing         any        `json:"routing"`          // how the traffic follows, as that way shows itself; null: it is not our business
	Notify          any        `json:"notify,omitempty"` // how the app is told; absent: it is not
	Paused          bool       `json:"paused"`
	HolderExpired   bool       `json:"holderExpired"` // the holder has not renewed for the length of its lease
	Ready           bool       `json:"ready"`
	CanTakeOver     bool       `json:"canTakeOver"`
	Watching        bool       `json:"watching"`        // false: the lock is polled
	Waiting         string     `json:"waiting"`         // why it does not lead; empty while it does
	Locks           []Lock     `json:"locks,omitempty"` // of endpoints+leases: what each says; the lead needs both
	LastError       string     `json:"lastError"`
	LastErrorAt     *time.Time `json:"lastErrorAt"`
}

// Lock is what one of two locks says.
type Lock struct {
	Lock          string  `json:"lock"` // "endpoints" or "leases"
	Leader        string  `json:"leader"`
	Held          bool    `json:"held"` // by this pod
	Term          *string `json:"term"`
	Paused        bool    `json:"paused"`
	HolderExpired bool    `json:"holderExpired"`
	Waiting       string  `json:"waiting"`
}

// Health says whether the app is fit to lead.
type Health struct {
	Fit    bool   `json:"fit"`
	Reason string `json:"reason"` // why it is not; empty: it is, or nothing is checked
	Checks []any  `json:"checks"` // as the checks show themselves
}

// Config is what the server shows.
type Config struct {
	View  func() View                 // computed for each request
	Alive func(context.Context) error // nil while the election's loop turns
	Log   *slog.Logger

	Metrics http.Handler // of /metrics

	// Changes yields the present view and then one per change, until ctx is done.
	Changes func(ctx context.Context) iter.Seq[View]

	// StepDown offers the lead to a candidate, or to anybody if to is empty, and
	// returns who accepted it once the lock was released; a Refusal says why not.
	StepDown func(ctx context.Context, to string) (heir string, err error)
	// Successor returns the name of the leader once it is somebody else, or
	// nothing when ctx ends.
	Successor func(ctx context.Context) string
}

// Limits of the server. A sidecar's clients are probes and a handful of
// programs beside it; whoever keeps a connection silent makes room for them.
const (
	maxConnections  = 128
	maxHeaderBytes  = 4 << 10
	headerTimeout   = 2 * time.Second
	requestTimeout  = 5 * time.Second
	idleTimeout     = 60 * time.Second
	shutdownTimeout = 2 * time.Second
	aliveTimeout    = time.Second
)

// Server answers on one listener.
type Server struct {
	cfg   Config
	http  *http.Server
	conns connections

	listeners atomic.Int32    // of /events
	closing   context.Context // done when Shutdown begins
}

// New makes a server; Serve starts it.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	closing, close := context.WithCancel(context.Background())
	s.closing = closing
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      requestTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         s.conns.track,
		Protocols:         protocols,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}
	s.http.RegisterOnShutdown(close)
	return s
}

// Serve answers until Shutdown; then its error is http.ErrServerClosed.
func (s *Server) Serve(l net.Listener) error { return s.http.Serve(l) }

// Shutdown lets the requests under way end, for a short while.
func (s *Server) Shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
}

func (s *Server) handler() http.Handler {
	cfg := s.cfg
	answers := map[string]http.HandlerFunc{
		"/":        func(w http.ResponseWriter, r *http.Request) { name(w, cfg.View()) },
		"/leader":  func(w http.ResponseWriter, r *http.Request) { v := cfg.View(); show(w, v, v.IsLeader) },
		"/standby": func(w http.ResponseWriter, r *http.Request) { v := cfg.View(); show(w, v, v.CanTakeOver) },
		"/status":  func(w http.ResponseWriter, r *http.Request) { show(w, cfg.View(), true) },
		"/readyz":  func(w http.ResponseWriter, r *http.Request) { ready(w, cfg.View()) },
		"/metrics": func(w http.ResponseWriter, r *http.Request) { cfg.Metrics.ServeHTTP(w, r) },
		"/events":  s.events,
		"/livez":   func(w http.ResponseWriter, r *http.Request) { alive(w, r, cfg.Alive) },

		"/step-down": nil, // the only one that answers POST, and nothing else
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		answer, ok := answers[r.URL.Path]
		switch {
		case !ok:
			plain(w, http.StatusNotFound, "there is no "+r.URL.Path+"; there are / /leader /standby /status /events /metrics /livez /readyz, and POST /step-down")
		case r.URL.Path == "/step-down" && r.Method != http.MethodPost:
			w.Header().Set("Allow", "POST")
			plain(w, http.StatusMethodNotAllowed, r.URL.Path+" only answers POST")
		case r.URL.Path == "/step-down":
			s.stepDown(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			plain(w, http.StatusMethodNotAllowed, r.URL.Path+" only answers GET and HEAD")
		default:
			answer(w, r)
		}
	})
}

// name is 0.5's answer, to the byte: no newline, and an empty name when nobody
// is known to lead.
func name(w http.ResponseWriter, v View) {
	write(w, http.StatusOK, struct {
		Name string `json:"name"`
	}{v.Leader})
}

func show(w http.ResponseWriter, v View, ok bool) {
	code := http.StatusOK
	if !ok {
		code = http.StatusServiceUnavailable
	}
	write(w, code, v)
}

func ready(w http.ResponseWriter, v View) {
	switch {
	case v.Ready:
		plain(w, http.StatusOK, "ready")
	case v.LastError != "":
		plain(w, http.StatusServiceUnavailable, "not ready: "+v.LastError)
	default:
		plain(w, http.StatusServiceUnavailable, "not ready: the lock has not been read yet")
	}
}

func alive(w http.ResponseWriter, r *http.Request, check func(context.Context) error) {
	ctx, cancel := context.WithTimeout(r.Context(), aliveTimeout)
	defer cancel()
	if err := check(ctx); err != nil {
		plain(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	plain(w, http.StatusOK, "alive")
}

func write(w http.ResponseWriter, code int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		plain(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(data)
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	w.Write([]byte(strings.TrimSpace(text) + "\n"))
}
