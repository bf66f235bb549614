package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/leader-elector/leader-elector/internal/health"
	"github.com/leader-elector/leader-elector/internal/status"
)

// healthOptions are the flags that say when the app is fit to lead.
type healthOptions struct {
	healthChecks                  urls
	healthInterval, healthTimeout time.Duration
	healthStartWait               time.Duration
	healthRise, healthFall        int
	healthHold                    bool
}

var healthGroup = []string{"health-check", "health-interval", "health-timeout", "health-rise", "health-fall", "health-start-wait", "health-hold"}

// urls are the values of a flag that may be repeated; its variable separates
// them by spaces, which no URL contains.
type urls []string

func (u *urls) String() string     { return strings.Join(*u, " ") }
func (u *urls) Type() string       { return "URL" }
func (u *urls) Set(s string) error { *u = append(*u, strings.Fields(s)...); return nil }

func (o *options) healthFlags(f *pflag.FlagSet) {
	f.Var(&o.healthChecks, "health-check", "`URL` that must hold for this pod to lead: http://HOST:PORT/PATH or https:// (200 to 399; certificates are not verified), tcp://HOST:PORT, file:///PATH?max-age=10s; no HOST is 127.0.0.1; repeatable (the variable takes several, separated by spaces), and all must hold")
	f.DurationVar(&o.healthInterval, "health-interval", health.DefaultInterval, "`DURATION` from one health check to the next")
	f.DurationVar(&o.healthTimeout, "health-timeout", health.DefaultTimeout, "`DURATION` that a health check may take")
	f.IntVar(&o.healthRise, "health-rise", health.DefaultRise, "`NUMBER` of checks in a row that must succeed before an unfit app is fit")
	f.IntVar(&o.healthFall, "health-fall", health.DefaultFall, "`NUMBER` of checks in a row that must fail before a fit app is unfit; a refused connection is enough alone")
	f.DurationVar(&o.healthStartWait, "health-start-wait", health.DefaultStartWait, "`DURATION` for which an app that was never fit is told as starting, not as unfit; it does not campaign either way")
	f.BoolVar(&o.healthHold, "health-hold", true, "hold an idle connection to the app's port, whose end shows at once that the app died")
}

func (o *options) healthConfig() health.Config {
	return health.Config{
		Checks: o.healthChecks, Interval: o.healthInterval, Timeout: o.healthTimeout,
		Rise: o.healthRise, Fall: o.healthFall, StartWait: o.healthStartWait, NoHold: !o.healthHold,
	}
}

// checkHealth finds the faults of these flags. A zero is what the package takes
// for its default, so it is refused here.
func (o *options) checkHealth() (faults []error) {
	for flag, zero := range map[string]bool{
		"health-interval": o.healthInterval <= 0, "health-timeout": o.healthTimeout <= 0, "health-start-wait": o.healthStartWait <= 0,
		"health-rise": o.healthRise <= 0, "health-fall": o.healthFall <= 0,
	} {
		if zero {
			faults = append(faults, fmt.Errorf("%s must be positive", o.source(flag)))
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	for _, check := range o.healthChecks {
		one := health.Config{Checks: []string{check}}
		if err := one.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", o.source("health-check"), err))
		} else if o.asksUs(check) {
			faults = append(faults, fmt.Errorf("%s=%s asks the sidecar itself (--http=%s): whoever does not lead would never be fit to lead; name the app's own port",
				o.source("health-check"), check, o.http))
		}
	}
	return faults
}

// asksUs says whether a check's URL is the sidecar's own port on this machine.
func (o *options) asksUs(check string) bool {
	u, err := url.Parse(check)
	_, port, portErr := net.SplitHostPort(o.http)
	if err != nil || portErr != nil || u.Port() != port {
		return false
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host == "" || host == "localhost" || ip != nil && ip.IsLoopback()
}

// monitor watches the app's health for an election; nil: nothing is checked.
type monitor struct{ *health.Monitor }

func (o *options) startHealth(setFit func(bool, string), log *slog.Logger) (*monitor, error) {
	if len(o.healthChecks) == 0 || o.tended != nil {
		return nil, nil
	}
	cfg := o.healthConfig()
	cfg.Changed, cfg.Logger = setFit, log
	m, err := health.New(cfg)
	if err != nil {
		return nil, errors.Join(errors.New("--health-check"), err)
	}
	setFit(m.Verdict())
	return &monitor{m}, nil
}

// begin starts the checks; what it returns ends them.
func (m *monitor) begin() (end func()) {
	if m == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { m.Run(ctx) })
	return func() { cancel(); work.Wait() }
}

// show adds what the checks say to /status.
func (m *monitor) show(v status.View) status.View {
	v.Health.Checks = []any{}
	if m == nil {
		return v
	}
	_, v.Health.Reason = m.Verdict()
	for _, c := range m.Checks() {
		c.Since = c.Since.UTC()
		v.Health.Checks = append(v.Health.Checks, c)
	}
	return v
}
