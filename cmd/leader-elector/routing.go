package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/kube"
	"github.com/leader-elector/leader-elector/internal/route"
	"github.com/leader-elector/leader-elector/internal/status"
)

// The ways of routing.
const (
	routeNone          = "none"
	routeLabel         = "label"
	routeEndpointSlice = "endpointslice"
)

// maxLabel is how long a label's value can be.
const maxLabel = 63

// routing is what the flags say of where the traffic goes.
type routing struct {
	route, service, podIP, podSelector string

	pod route.Pod // this one, as far as --route needs it
}

var routingGroup = []string{"route", "service", "pod-ip", "pod-selector"}

func (o *options) routingFlags(f *pflag.FlagSet) {
	f.StringVar(&o.route, "route", routeNone, "`WAY` in which traffic follows the lead: none; label: the leader sets the label leader-elector.io/role of the pods of --pod-selector to leader or standby; or endpointslice: the leader writes its address into the EndpointSlices NAME-leader-ipv4 and NAME-leader-ipv6 of --service, which has no selector")
	f.StringVar(&o.service, "service", "", "`NAME` of the Service, in the pod's namespace, that leads to the leader; needed with --route=endpointslice; with --route=label only doctor looks at it")
	f.StringVar(&o.podIP, "pod-ip", "", "`ADDRESS` of this pod, of each family at most one, separated by commas, such as status.podIPs of the downward API (default: what the kubelet writes to /etc/hosts)")
	f.StringVar(&o.podSelector, "pod-selector", "", "`SELECTOR` by label of all pods of the election, this one too; with --route=label (default: leader-elector.io/election=NAME of the election)")
}

// checkRouting finds the faults that can be found without looking outside.
func (o *options) checkRouting() (faults []error) {
	switch {
	case o.route != routeNone && o.route != routeLabel && o.route != routeEndpointSlice:
		faults = append(faults, fmt.Errorf("%s=%q: write none, label or endpointslice", o.source("route"), o.route))
	case o.route == routeEndpointSlice && o.service == "":
		faults = append(faults, fmt.Errorf("--service is missing: %s=endpointslice needs the name of the Service that leads to the leader", o.source("route")))
	case o.route == routeNone && o.service != "":
		faults = append(faults, fmt.Errorf("%s=%q has no use without --route=endpointslice or --route=label", o.source("service"), o.service))
	}
	if o.route == routeLabel && o.podSelector == "" && len(o.election) > maxLabel {
		faults = append(faults, fmt.Errorf("%s=%q is longer than a label's %d characters: give --pod-selector", o.source("election"), o.election, maxLabel))
	}
	if o.podSelector != "" && o.route != routeLabel {
		faults = append(faults, fmt.Errorf("%s=%q has no use without --route=label", o.source("pod-selector"), o.podSelector))
	} else if why := badSelector(o.podSelector); why != "" {
		faults = append(faults, fmt.Errorf("%s=%q is no selector of pods: %s", o.source("pod-selector"), o.podSelector, why))
	}
	if why := badNamespace(o.service); why != "" {
		faults = append(faults, fmt.Errorf("%s=%q is no name of a Service: %s", o.source("service"), o.service, why))
	}
	if o.podIP != "" {
		if _, err := route.ParseIPs(o.podIP); err != nil {
			faults = append(faults, fmt.Errorf("%s=%q: %w", o.source("pod-ip"), o.podIP, err))
		}
	}
	return faults
}

// badSelector says why a text cannot be a label selector. Empty is no fault;
// what only looks like one, the API server refuses.
func badSelector(text string) string {
	for _, r := range text {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=!,() ", r)) {
			return fmt.Sprintf("%q is in no label; write KEY=VALUE, several separated by commas", r)
		}
	}
	if strings.TrimSpace(text) == "" && text != "" {
		return "it is blank, which would choose every pod; write KEY=VALUE"
	}
	return ""
}

// resolveRouting finds out which pod this is, where that is needed.
func (o *options) resolveRouting(c claims, env lookup) error {
	if o.route == routeNone {
		return nil
	}
	k := c.Kubernetes
	o.pod = route.Pod{Namespace: k.Namespace, Name: k.Pod.Name, UID: k.Pod.UID, Node: k.Node.Name}
	var faults []error
	switch {
	case o.access.TokenFile == "":
		faults = append(faults, fmt.Errorf("%s=%s works in a pod only, with its service account: the pod's name and UID are in that token", o.source("route"), o.route))
	case o.pod.Namespace == "" || o.pod.Name == "" || o.pod.UID == "":
		faults = append(faults, fmt.Errorf("%s=%s: the token in %s does not say whose pod this is (it has no claim kubernetes.io/pod); use the token that Kubernetes mounts into the pod",
			o.source("route"), o.route, o.access.TokenFile))
	}
	if o.route == routeLabel {
		o.podSelector = cmp.Or(o.podSelector, route.LabelElection+"="+o.election)
		return errors.Join(faults...)
	}
	var err error
	if o.podIP != "" {
		o.pod.IPs, err = route.ParseIPs(o.podIP) // which was checked
	} else {
		root, _ := env("LEADER_ELECTOR_POD_ROOT")
		o.pod.IPs, err = hostsIPs(filepath.Join(root, "/etc/hosts"))
	}
	return errors.Join(append(faults, err)...)
}

func hostsIPs(path string) ([]netip.Addr, error) {
	const mend = "give --pod-ip, such as --pod-ip=$(POD_IPS) with the variable POD_IPS from the downward API's status.podIPs"
	hosts, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the pod's address is not known: %w; %s", err, mend)
	}
	defer hosts.Close()
	ips, err := route.HostsIPs(hosts)
	if err != nil {
		return nil, fmt.Errorf("the pod's address is not in %s: %w; %s", path, err, mend)
	}
	return ips, nil
}

// routed is a way of routing at work. What is nil is not to be done.
type routed struct {
	follower elector.Follower
	run      func(context.Context) // beside the election
	end      func(context.Context) // when the lead is over for good; bounded
	view     func() any            // for /status
}

// startRouting makes the way that the flags ask for. The elector is made with
// its follower, so it is known only when the follower is called.
func (o *options) startRouting(e func() *elector.Elector, changed func(fault string), log *slog.Logger) (routed, error) {
	if o.route == routeNone {
		return routed{}, nil
	}
	client, err := kube.New(o.access)
	if err != nil {
		return routed{}, err
	}
	if o.route == routeLabel {
		return o.startLabels(e, client, changed, log)
	}
	start := make([]byte, 8)
	rand.Read(start) // never fails since Go 1.24
	s, err := route.NewSlices(route.SliceConfig{
		Client: client, Election: o.election, Service: o.service, Pod: o.pod, Start: hex.EncodeToString(start), Changed: changed, Log: log,
		Confirm: func(ctx context.Context, term elector.Term) error { return e().Confirm(ctx, term) },
		Cede:    func(ctx context.Context) error { return e().StepDown(ctx, "") },
	})
	if err != nil {
		return routed{}, fmt.Errorf("--route=endpointslice: %w", err)
	}
	return routed{follower: s, run: s.Run, end: s.End, view: func() any { return s.Routing() }}, nil
}

// startLabels labels pods. A pod that starts as a standby loses the label that an
// earlier process in it left; one that takes the lead again at once, as the
// successor of that process, keeps it, since its traffic would stop for nothing.
func (o *options) startLabels(e func() *elector.Elector, client *kube.Client, changed func(fault string), log *slog.Logger) (routed, error) {
	l, err := route.NewLabels(route.LabelConfig{Client: client, Election: o.election, Pod: o.pod, Selector: o.podSelector, Changed: changed, Log: log})
	if err != nil {
		return routed{}, fmt.Errorf("--route=label: %w", err)
	}
	clear := func(ctx context.Context) {
		if !leadsAtOnce(ctx, e()) {
			l.Clear(ctx)
		}
	}
	return routed{follower: l, run: clear, view: func() any { return l.Routing() }}, nil
}

// settleWithin is how long a candidate that starts may take to know whether it
// leads.
const settleWithin = 2 * time.Second

func leadsAtOnce(ctx context.Context, e *elector.Elector) bool {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	for s := range e.Changes(ctx) {
		if s.IsLeader || s.Leader != "" {
			return s.IsLeader
		}
	}
	return false
}

// show adds the section of /status.
func (r *routed) show(v status.View) status.View {
	if r.view != nil {
		v.Routing = r.view()
	}
	return v
}

// begin starts what runs beside the election; what it returns ends that, and
// what is to be done after the last release.
func (r *routed) begin() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	if r.run != nil {
		work.Go(func() { r.run(ctx) })
	}
	return func() {
		cancel()
		work.Wait()
		if r.end != nil {
			r.end(context.Background())
		}
	}
}
