package elector

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Defaults of Config.
const (
	DefaultTTL             = 10 * time.Second
	DefaultHandoverTimeout = 5 * time.Second
	MinTTL                 = 4 * time.Second
	MinRenewEvery          = time.Second
)

// Config says what to elect, as whom, and how to reach the API server. A zero
// field means its default; fields without a default are required.
type Config struct {
	// Election is the name of the lock object. Required.
	Election string
	// Namespace is that of the lock object. Required.
	Namespace string
	// ID is what the lock shows as the holder. It must differ between
	// candidates: two processes with one ID never lead at once, but each waits
	// for the other's lease. Required; in a pod, the pod's name.
	ID string
	// PodUID lets a restarted process of the same pod take its predecessor's
	// lock at once. Empty: it waits for the lease like anybody else. Never give
	// one value to processes that do not share a network namespace.
	PodUID string

	// Lock is the kind of object that decides: "leases" (default),
	// "endpoints", the annotation of leader-elector:0.5, or "endpoints+leases",
	// which leads while it holds both: the step between the two.
	Lock string
	// NewLock is what a lock that is missing at the first look means: "wait"
	// (default) for the length of a lease, since a leader of a deleted lock may
	// still act; or "immediate", which is unsafe wherever a lock can be deleted
	// while a leader acts.
	NewLock string

	// TTL is the duration of the lease, in whole seconds, the same for all
	// candidates. A crashed leader is followed after this time. Default 10s, at
	// least 4s.
	TTL time.Duration
	// RenewEvery is the time between two renewals; it is shortened at random by
	// up to a tenth. Default TTL/3, at least 1s and at most TTL/2.
	RenewEvery time.Duration
	// HandoverTimeout bounds Follower.Stop. If it passes without confirmation
	// the lock is not released and the lease runs out. Default 5s.
	HandoverTimeout time.Duration

	// Server is the URL of the API server. Required.
	Server string
	// NewClient makes an HTTP client with connections of its own that are
	// authorized for Server. It is called again whenever a connection must be
	// given up for good, so it must not share a transport between its results.
	// Nil: plain clients, as for `kubectl proxy`.
	NewClient func() (*http.Client, error)

	// UserAgent names the program to the API server. Empty: "leader-elector".
	UserAgent string
	// ServerFrom says where Server comes from ("--server", say), and
	// CredentialHint what to mend where the server refuses the credentials: words
	// for the errors that a user reads. Both may be empty.
	ServerFrom, CredentialHint string

	// Follower is told of the lead. Nil: nobody is told, and the app acts only
	// on traffic that is routed to the leader.
	Follower Follower
	// Notices is told each change, in order, as the log is. It must not block,
	// nor call the Elector. Nil: nobody is told.
	Notices func(Notice)
	// Logger takes state changes at Info, tries at Debug. Nil: nothing is logged.
	Logger *slog.Logger
}

// Validate reports every fault of the configuration at once.
func (c *Config) Validate() error {
	d := c.withDefaults()
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if d.Election == "" {
		fault("the election has no name")
	}
	if d.Namespace == "" {
		fault("the election's namespace is not known")
	}
	if d.ID == "" {
		fault("the candidate has no id")
	}
	if strings.Contains(d.ID, "/") {
		fault("the id %q contains a slash; use the pod's name", d.ID)
	}
	if d.Server == "" {
		fault("the API server's URL is not known")
	}
	if d.NewLock != "wait" && d.NewLock != "immediate" {
		fault("a new lock is taken by %q; it can be %q or %q", d.NewLock, "wait", "immediate")
	}
	return errors.Join(append(faults, d.timing()...)...)
}

func (c *Config) timing() (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	switch {
	case c.TTL < MinTTL:
		fault("the ttl %v is too short: below %v a single slow answer costs the lead", c.TTL, MinTTL)
	case c.TTL%time.Second != 0:
		fault("the ttl %v is not in whole seconds, which is all that a lease can hold", c.TTL)
	}
	switch {
	case c.RenewEvery < MinRenewEvery:
		fault("renewing every %v is too often: at least %v spares the API server", c.RenewEvery, MinRenewEvery)
	case c.TTL >= MinTTL && c.RenewEvery > c.TTL/2:
		fault("renewing every %v leaves no time for a second try within the ttl %v: at most half of it", c.RenewEvery, c.TTL)
	}
	if c.HandoverTimeout < 0 {
		fault("the hand-over timeout %v is negative", c.HandoverTimeout)
	}
	return faults
}

func (c *Config) withDefaults() Config {
	d := *c
	if d.Lock == "" {
		d.Lock = "leases"
	}
	if d.NewLock == "" {
		d.NewLock = "wait"
	}
	if d.TTL == 0 {
		d.TTL = DefaultTTL
	}
	if d.RenewEvery == 0 {
		d.RenewEvery = max(d.TTL/3, MinRenewEvery)
	}
	if d.HandoverTimeout == 0 {
		d.HandoverTimeout = DefaultHandoverTimeout
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return d
}
