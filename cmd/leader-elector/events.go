package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/spf13/pflag"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/events"
	"github.com/leader-elector/leader-elector/internal/kube"
)

// eventOptions are the flags of Kubernetes Events.
type eventOptions struct{ events bool }

func (o *options) eventFlags(f *pflag.FlagSet) {
	f.BoolVar(&o.events, "events", false, "record what happens to the lead as Kubernetes Events on the lock and on this pod, for `kubectl describe`; needs the right to create and patch events (deploy/components/events)")
}

// recorder records Events; nil: it does not.
type recorder struct{ *events.Recorder }

// startEvents makes the recorder, on a connection of its own: the election's
// must not wait for it.
func (o *options) startEvents(c counts, log *slog.Logger) (*recorder, error) {
	if !o.events {
		return nil, nil
	}
	client, err := kube.New(o.access)
	if err != nil {
		return nil, err
	}
	return &recorder{events.New(events.Config{
		Client: client, Objects: o.eventObjects(), ID: o.id, Node: o.self.Kubernetes.Node.Name,
		Result: c.Recorded, Log: log.With("election", o.namespace+"/"+o.election, "id", o.id),
	})}, nil
}

// eventObjects are the lock, and in a pod the pod. Of two locks it is the Lease,
// whose term counts.
func (o *options) eventObjects() []events.Object {
	lock := events.Object{Kind: "Lease", Ref: kube.Ref{APIVersion: "coordination.k8s.io/v1", Resource: "leases", Namespace: o.namespace, Name: o.election}}
	if o.lock == "endpoints" {
		lock.Kind, lock.APIVersion, lock.Resource = "Endpoints", "v1", "endpoints"
	}
	objects := []events.Object{lock}
	if k := o.self.Kubernetes; k.Pod.UID != "" {
		objects = append(objects, events.Object{Kind: "Pod", UID: k.Pod.UID,
			Ref: kube.Ref{APIVersion: "v1", Resource: "pods", Namespace: k.Namespace, Name: k.Pod.Name}})
	}
	return objects
}

// routing is told what keeps the traffic from following.
func (r *recorder) routing(fault string) {
	if r != nil {
		r.Routing(fault)
	}
}

// notices is told each change of the election.
func (r *recorder) notices(c counts) func(elector.Notice) {
	return func(n elector.Notice) {
		c.Hear(n)
		if r != nil {
			r.Hear(n)
		}
	}
}

// begin records until what it returns is called, which waits for the last.
func (r *recorder) begin() (end func()) {
	if r == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { r.Run(ctx) })
	return func() { cancel(); work.Wait() }
}
