package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/lock"
)

// source is how a person finds the place where a flag's value was written.
func (o *options) source(flag string) string {
	if o.fromEnv[flag] {
		return "the variable " + twin(flag)
	}
	return "--" + flag
}

// check finds the faults that can be found without looking outside.
func (o *options) check() (faults []error) {
	fault := func(flag, format string, args ...any) {
		faults = append(faults, fmt.Errorf(o.source(flag)+format, args...))
	}
	if o.election == "" {
		fault("election", " is missing: name the election, such as --election=music")
	} else if why := badName(o.election); why != "" {
		fault("election", "=%q is no name for a Kubernetes object: %s", o.election, why)
	}
	if _, err := lock.ParseKinds(o.lock); err != nil {
		fault("lock", ": %w", err)
	}
	if o.newLock != "wait" && o.newLock != "immediate" {
		fault("new-lock", "=%q: write \"wait\" or \"immediate\"", o.newLock)
	}
	if why := badAddress(o.http); why != "" {
		fault("http", "=%q is no address to answer on: %s", o.http, why)
	}
	if err := o.level.UnmarshalText([]byte(o.logLevel)); err != nil {
		fault("log-level", "=%q: write debug, info, warn or error", o.logLevel)
	}
	if o.logFormat != "text" && o.logFormat != "json" {
		fault("log-format", "=%q: write text or json", o.logFormat)
	}
	return slices.Concat(faults, o.timing(), o.ways(), o.checkHealth(), o.checkRouting(), o.checkApp(), o.checkRun())
}

// timing is what the library says of the durations. The rest of what it asks
// for is not known yet, so something that it takes stands for it.
func (o *options) timing() (faults []error) {
	if o.ttl == 0 { // which the library takes for its default
		return []error{fmt.Errorf("%s=0s: the ttl is at least %v", o.source("ttl"), elector.MinTTL)}
	}
	cfg := elector.Config{Election: "x", Namespace: "x", ID: "x", Server: "x", TTL: o.ttl, RenewEvery: o.renewEvery}
	var all interface{ Unwrap() []error }
	if !errors.As(cfg.Validate(), &all) {
		return nil
	}
	from := o.source("ttl")
	if o.renewEvery != 0 {
		from += " and " + o.source("renew-every")
	}
	for _, err := range all.Unwrap() {
		faults = append(faults, fmt.Errorf("%s: %w", from, err))
	}
	return faults
}

// ways refuses more than one way to the API server.
func (o *options) ways() []error {
	var given []string
	for flag, is := range map[string]bool{"kubeconfig": o.kubeconfig != "", "server": o.server != "", "use-cluster-credentials": o.inCluster} {
		if is {
			given = append(given, o.source(flag))
		}
	}
	if slices.Sort(given); len(given) > 1 {
		return []error{fmt.Errorf("%s name different ways to the API server: keep one", strings.Join(given, " and "))}
	}
	return nil
}

// badAddress says why nobody can listen on an address. Empty is no fault: it
// means no HTTP.
func badAddress(address string) string {
	if address == "" {
		return ""
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		if _, err := net.LookupPort("tcp", address); err == nil {
			return "write :" + address
		}
		return "write HOST:PORT or :PORT, such as :4040"
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Sprintf("%q is no port", port)
	}
	return ""
}

// badName says why a name cannot be that of a Lease or an Endpoints.
func badName(name string) string {
	if len(name) > 253 {
		return "it is longer than 253 characters"
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' {
			return "only lower-case letters, digits, '-' and '.' are allowed"
		}
	}
	if ends := name[:1] + name[len(name)-1:]; strings.ContainsAny(ends, "-.") {
		return "it must begin and end with a letter or digit"
	}
	return ""
}

// badNamespace says why a name cannot be that of a namespace. Empty is no
// fault of the name.
func badNamespace(name string) string {
	switch {
	case name == "":
		return ""
	case len(name) > 63:
		return "it is longer than 63 characters"
	case strings.Contains(name, "."):
		return "only lower-case letters, digits and '-' are allowed"
	}
	return strings.Replace(badName(name), "digits, '-' and '.'", "digits and '-'", 1)
}
