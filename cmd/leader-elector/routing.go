package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/pflag"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/kube"
	"github.com/leader-elector/leader-elector/internal/route"
	"github.com/leader-elector/leader-elector/internal/status"
)

// The ways of routing.
const (
	routeNone          = "none"
	routeEndpointSlice = "endpointslice"
)

// routing is what the flags say of where the traffic goes.
type routing struct {
	route, service, podIP string

	pod route.Pod // this one, as far as --route needs it
}

var routingGroup = []string{"route", "service", "pod-ip"}

func (o *options) routingFlags(f *pflag.FlagSet) {
	f.StringVar(&o.route, "route", routeNone, "`WAY` in which traffic follows the lead: none, or endpointslice: the leader writes its address into the EndpointSlices NAME-leader-ipv4 and NAME-leader-ipv6 of --service, which has no selector")
	f.StringVar(&o.service, "service", "", "`NAME` of the Service, in the pod's namespace, that leads to the leader; with --route=endpointslice")
	f.StringVar(&o.podIP, "pod-ip", "", "`ADDRESS` of this pod, of each family at most one, separated by commas, such as status.podIPs of the downward API (default: what the kubelet writes to /etc/hosts)")
}

// checkRouting finds the faults that can be found without looking outside.
func (o *options) checkRouting() (faults []error) {
	switch {
	case o.route != routeNone && o.route != routeEndpointSlice:
		faults = append(faults, fmt.Errorf("%s=%q: write none or endpointslice", o.source("route"), o.route))
	case o.route == routeEndpointSlice && o.service == "":
		faults = append(faults, fmt.Errorf("--service is missing: %s=endpointslice needs the name of the Service that leads to the leader", o.source("route")))
	case o.route != routeEndpointSlice && o.service != "":
		faults = append(faults, fmt.Errorf("%s=%q has no use without --route=endpointslice", o.source("service"), o.service))
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

// resolveRouting finds out which pod this is, where that is needed.
func (o *options) resolveRouting(c claims, env lookup) error {
	if o.route != routeEndpointSlice {
		return nil
	}
	k := c.Kubernetes
	o.pod = route.Pod{Namespace: k.Namespace, Name: k.Pod.Name, UID: k.Pod.UID, Node: k.Node.Name}
	var faults []error
	switch {
	case o.access.TokenFile == "":
		faults = append(faults, fmt.Errorf("%s=endpointslice works in a pod only, with its service account: the pod's name and UID are in that token", o.source("route")))
	case o.pod.Namespace == "" || o.pod.Name == "" || o.pod.UID == "":
		faults = append(faults, fmt.Errorf("%s=endpointslice: the token in %s does not say whose pod this is (it has no claim kubernetes.io/pod); use the token that Kubernetes mounts into the pod",
			o.source("route"), o.access.TokenFile))
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
func (o *options) startRouting(e func() *elector.Elector, log *slog.Logger) (routed, error) {
	if o.route != routeEndpointSlice {
		return routed{}, nil
	}
	client, err := kube.New(o.access)
	if err != nil {
		return routed{}, err
	}
	start := make([]byte, 8)
	rand.Read(start) // never fails since Go 1.24
	s, err := route.NewSlices(route.SliceConfig{
		Client: client, Election: o.election, Service: o.service, Pod: o.pod, Start: hex.EncodeToString(start), Log: log,
		Confirm: func(ctx context.Context, term elector.Term) error { return e().Confirm(ctx, term) },
		Cede:    func(ctx context.Context) error { return e().StepDown(ctx, "") },
	})
	if err != nil {
		return routed{}, fmt.Errorf("--route=endpointslice: %w", err)
	}
	return routed{follower: s, run: s.Run, end: s.End, view: func() any { return s.Routing() }}, nil
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
