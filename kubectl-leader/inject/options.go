package inject

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Options say what is injected. What they leave out is taken from the sidecar
// that is there, and else is the default.
type Options struct {
	Namespace      string // of objects that name none
	ForceNamespace bool   // objects that name another one are refused
	DefaultImage   string // of a sidecar that is new

	Workload          string // the only one to inject, as NAME or kind/NAME
	Image             string
	Election          string // default: the workload's name
	ElectionNamespace string
	Lock              string // default: leases
	TTL               time.Duration
	Route             string // default: EndpointSlice
	Service           string
	ServiceAccount    string
	HealthChecks      []string // default: what the app's probes ask
	NoHealthCheck     bool
	Port              int
	MinReadySeconds   *int // default: longer than the first election takes; 0: none
	ExtraArgs         []string

	// Look tells what the cluster holds of a Service and of the pods that it
	// leads to, nil if there is no such Service. Without Look nobody is asked.
	Look func(namespace, service string) (*Live, error)
}

// defaultTTL is the sidecar's.
const defaultTTL = 10 * time.Second

// managed are the sidecar's flags that have an option of their own.
var managed = []string{"election", "election-namespace", "lock", "ttl", "service", "health-check", "pod-ip", "http", "route"}

var dnsName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// Validate reports the first fault of what does not depend on the input.
func (o *Options) Validate() error {
	switch {
	case o.Route != "" && !slices.Contains([]string{EndpointSlice, Label, Readiness, None}, o.Route):
		return fmt.Errorf("--route=%q: write endpointslice, label, readiness or none", o.Route)
	case o.Lock != "" && lockRules(o.Lock, "x") == nil:
		return fmt.Errorf("--lock=%q: write leases, endpoints or endpoints+leases", o.Lock)
	case o.TTL != 0 && (o.TTL < 4*time.Second || o.TTL%time.Second != 0):
		return fmt.Errorf("--ttl=%v: write whole seconds, at least 4s", o.TTL)
	case o.Port < 0 || o.Port > 65535:
		return fmt.Errorf("--port=%d: write a port from 1 to 65535", o.Port)
	case o.MinReadySeconds != nil && *o.MinReadySeconds < 0:
		return fmt.Errorf("--min-ready-seconds=%d: write 0 or more", *o.MinReadySeconds)
	case o.NoHealthCheck && len(o.HealthChecks) > 0:
		return fmt.Errorf("--health-check and --no-health-check contradict each other")
	case o.Election != "" && (!dnsName.MatchString(o.Election) || len(o.Election) > 63):
		return fmt.Errorf("--election=%q: write small letters, digits and dashes, 63 at most, as it is the name of a Lease and the value of a label", o.Election)
	}
	for _, a := range o.ExtraArgs {
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		switch {
		case !strings.HasPrefix(a, "--"):
			return fmt.Errorf("--extra-arg=%q: write a flag of the sidecar, --extra-arg=--NAME=VALUE", a)
		case name == "http":
			return fmt.Errorf("--extra-arg=%q: write --port, as the probes ask there too", a)
		case slices.Contains(managed, name):
			return fmt.Errorf("--extra-arg=%q: %s is given by a flag of inject's own", a, name)
		}
	}
	return nil
}
