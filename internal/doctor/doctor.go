package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leader-elector/leader-elector/internal/kube"
)

// DefaultTimeout bounds one examination.
const DefaultTimeout = 5 * time.Second

// Config says what to look at. A zero field means that there is nothing of the
// kind to look at, unless it names a default.
type Config struct {
	Source  string // where the settings come from, for people
	Running bool   // they are those of a sidecar that runs beside this process
	Faults  []error

	Access  kube.Access
	Mounted bool // a service account's token is mounted, whether it is used or not

	Election, Namespace, ID string
	IDFlag                  bool // the id was given, so it need not be the pod's name
	Lock                    string

	TTL, RenewEvery, HandoverTimeout time.Duration
	HealthInterval, HealthTimeout    time.Duration
	HealthFall                       int
	Health                           []Check

	Route       string   // "none" (default), "label" or "endpointslice"
	Service     string   // for label routing it may be empty: then no Service is looked at
	PodIPs      []string // of this pod; empty: unknown
	PodSelector string   // of label routing

	Events bool // Kubernetes Events are recorded

	HTTP    string // the sidecar's --http
	Version string // of this program

	ClockSource string        // file with the kernel's clock source; default that of Linux
	Timeout     time.Duration // of one examination; default DefaultTimeout
}

// Check is one of the app's health checks.
type Check struct {
	Name string
	Run  func(context.Context) error // bounded by its context
}

// Level is how bad a finding is.
type Level string

// The levels, and what a report does with them: only a failure makes it fail.
const (
	OK   Level = "ok"
	Warn Level = "warn"
	Fail Level = "FAIL"
)

// Finding is one thing that an examination saw.
type Finding struct {
	Level       Level    `json:"level"`
	Examination string   `json:"examination"`
	Text        string   `json:"text"`
	Mend        string   `json:"mend,omitempty"`     // what mends it, for people
	Rules       []string `json:"rules,omitempty"`    // RBAC rules to add to the Role, each as one line of YAML
	Commands    []string `json:"commands,omitempty"` // for a shell, with the rights of an operator
}

// Report is all that was seen, in the order of the examinations.
type Report struct {
	Source   string    `json:"source"`
	Findings []Finding `json:"findings"`
}

// Failed says whether anything is broken.
func (r *Report) Failed() bool {
	for _, f := range r.Findings {
		if f.Level == Fail {
			return true
		}
	}
	return false
}

// patient is what the examinations share: what is known so far, and where they
// write what they find.
type patient struct {
	cfg    Config
	api    *api
	token  claims
	record *record // of the lock; nil: it was not read

	examination string
	findings    []Finding
}

// examinations, in the order in which one explains the next.
var examinations = []struct {
	name   string
	server bool // it needs the API server
	look   func(context.Context, *patient)
}{
	{"settings", false, settings},
	{"timings", false, timings},
	{"token", false, token},
	{"api server", false, server},
	{"rights", true, rights},
	{"identity", false, identity},
	{"lock", true, theLock},
	{"other lock", true, otherLock},
	{"service", true, service},
	{"slices", true, slicesOf},
	{"pods", true, pods},
	{"health", false, health},
	{"http", false, sidecar},
	{"clock", false, clock},
}

// Run looks at everything, one after the other.
func Run(ctx context.Context, cfg Config) *Report {
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Route == "" {
		cfg.Route = "none"
	}
	if cfg.ClockSource == "" {
		cfg.ClockSource = clockSourceFile
	}
	p := &patient{cfg: cfg}
	for _, e := range examinations {
		p.examination = e.name
		if e.server && !p.api.answers() {
			continue
		}
		p.within(ctx, e.look)
	}
	return &Report{Source: cfg.Source, Findings: p.findings}
}

// within runs one examination and says so if its time was up.
func (p *patient) within(ctx context.Context, look func(context.Context, *patient)) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	before := len(p.findings)
	look(ctx, p)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && len(p.findings) == before {
		p.fail(finding{text: fmt.Sprintf("not finished within %v", p.cfg.Timeout), mend: "run doctor again; if it stays so, look at the load of the API server"})
	}
}

// finding is what a failure or a warning says beside its level.
type finding struct {
	text, mend string
	rules      []string
	commands   []string
}

func (p *patient) ok(format string, args ...any) {
	p.add(OK, finding{text: fmt.Sprintf(format, args...)})
}
func (p *patient) warn(f finding) { p.add(Warn, f) }
func (p *patient) fail(f finding) { p.add(Fail, f) }

func (p *patient) add(level Level, f finding) {
	p.findings = append(p.findings, Finding{
		Level: level, Examination: p.examination, Text: f.text, Mend: f.mend, Rules: f.rules, Commands: f.commands,
	})
}

// settings tells what was wrong with the flags, once they met this machine.
func settings(_ context.Context, p *patient) {
	for _, err := range p.cfg.Faults {
		p.fail(finding{text: err.Error(), mend: "correct the sidecar's flag, variable or mount that is named here"})
	}
	if len(p.cfg.Faults) == 0 {
		p.ok("election %s/%s as %s, lock %s, ttl %v, route %s",
			p.cfg.Namespace, p.cfg.Election, p.cfg.ID, p.cfg.Lock, p.cfg.TTL, p.cfg.Route)
	}
}
