// Package health says whether the app beside us is fit to lead. It asks the app
// by network or looks at a file that the app touches, and between two checks it
// holds a connection open, whose end is the fastest news of a dead process.
package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Defaults of Config.
const (
	DefaultInterval  = 500 * time.Millisecond
	DefaultTimeout   = 500 * time.Millisecond
	DefaultRise      = 1
	DefaultFall      = 2
	DefaultStartWait = 30 * time.Second
)

// Config says what to check and how often. A zero field means its default.
type Config struct {
	// Checks are URLs, all of which must hold: http://127.0.0.1:8080/healthz,
	// https://…, tcp://127.0.0.1:5432, file:///run/alive?max-age=10s. An empty
	// host is 127.0.0.1.
	Checks []string
	// Interval is the time from the end of one check to the next. Default 500ms.
	Interval time.Duration
	// Timeout bounds one check. Default 500ms.
	Timeout time.Duration
	// Rise is how many checks in a row must succeed before an app that was not
	// fit is; Fall how many must fail before one that was fit is not. A refused
	// connection is enough alone: nobody listens, so the app is dead. Defaults 1
	// and 2.
	Rise, Fall int
	// StartWait is how long a check that has never succeeded is "starting",
	// before it is "unfit". Either way the candidate does not campaign. Default
	// 30s.
	StartWait time.Duration
	// NoHold turns the held connection off.
	NoHold bool

	// Changed is called for each change of what all checks say together, in
	// order, by one goroutine. The reason is empty while the app is fit.
	Changed func(fit bool, reason string)
	// Logger takes what changes at Info. Nil: nothing is logged.
	Logger *slog.Logger
}

// Validate reports every fault of the configuration at once.
func (c *Config) Validate() error {
	d := c.withDefaults()
	var faults []error
	for _, url := range d.Checks {
		if _, err := parse(url); err != nil {
			faults = append(faults, err)
		}
	}
	positive := func(name string, ok bool, value any) {
		if !ok {
			faults = append(faults, fmt.Errorf("the health checks' %s must be positive, not %v", name, value))
		}
	}
	positive("interval", d.Interval > 0, d.Interval)
	positive("timeout", d.Timeout > 0, d.Timeout)
	positive("rise", d.Rise > 0, d.Rise)
	positive("fall", d.Fall > 0, d.Fall)
	positive("start wait", d.StartWait > 0, d.StartWait)
	return errors.Join(faults...)
}

func (c *Config) withDefaults() Config {
	d := *c
	set := func(v *time.Duration, to time.Duration) {
		if *v == 0 {
			*v = to
		}
	}
	set(&d.Interval, DefaultInterval)
	set(&d.Timeout, DefaultTimeout)
	set(&d.StartWait, DefaultStartWait)
	if d.Rise == 0 {
		d.Rise = DefaultRise
	}
	if d.Fall == 0 {
		d.Fall = DefaultFall
	}
	if d.Changed == nil {
		d.Changed = func(bool, string) {}
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return d
}

// State is what a check says of the app.
type State string

// The states of a check.
const (
	Starting State = "starting" // it has not succeeded yet, and may take its time
	Fit      State = "fit"
	Unfit    State = "unfit"
)

// Check is what one check says, for people.
type Check struct {
	Check  string    `json:"check"` // the URL, less its query
	State  State     `json:"state"`
	Reason string    `json:"reason"` // of the last failure; empty: the last check succeeded
	Since  time.Time `json:"since"`  // of the state, by the wall clock
}

// Monitor checks one app.
type Monitor struct {
	cfg    Config
	checks []*check
	moved  chan struct{} // holds one token when a check's state changed
}

// New makes a monitor; nothing is checked before Run.
func New(cfg Config) (*Monitor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := &Monitor{cfg: cfg.withDefaults(), moved: make(chan struct{}, 1)}
	for _, url := range m.cfg.Checks {
		p, err := parse(url)
		if err != nil {
			return nil, err
		}
		m.checks = append(m.checks, newCheck(&m.cfg, p, m.moved))
	}
	return m, nil
}

// Run checks until ctx is done, and returns when everything that it began has
// ended.
func (m *Monitor) Run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	for _, c := range m.checks {
		work.Go(func() { c.run(ctx) })
	}
	fit, reason := m.Verdict()
	for {
		select {
		case <-m.moved:
		case <-ctx.Done():
			return
		}
		if f, r := m.Verdict(); f != fit || r != reason {
			if f != fit {
				m.cfg.Logger.Info("the app's fitness changed", "fit", f, "reason", r)
			}
			fit, reason = f, r
			m.cfg.Changed(fit, reason)
		}
	}
}

// Verdict is what all checks say together: fit if each of them says so, else
// the reason of the first that does not.
func (m *Monitor) Verdict() (fit bool, reason string) {
	for _, c := range m.checks {
		if v := c.view(); v.State != Fit {
			return false, c.verdict()
		}
	}
	return true, ""
}

// Checks is what each check says now.
func (m *Monitor) Checks() []Check {
	views := make([]Check, len(m.checks))
	for i, c := range m.checks {
		views[i] = c.view()
	}
	return views
}

// Deaf says that the app that listens on an address (HOST:PORT) is unfit and
// gives no answer at all: it is dead or frozen, so that waiting for it is of no
// use. A check of another address says nothing of it: another program is there.
func (m *Monitor) Deaf(address string) bool {
	address = numeric(address)
	for _, c := range m.checks {
		c.mu.Lock()
		deaf := c.show.State == Unfit && c.silent
		c.mu.Unlock()
		if deaf && numeric(c.probe.address) == address {
			return true
		}
	}
	return false
}

// numeric makes one of two spellings of this machine.
func numeric(address string) string {
	if port, ok := strings.CutPrefix(address, "localhost:"); ok {
		return "127.0.0.1:" + port
	}
	return address
}
