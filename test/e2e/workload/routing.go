package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

// Routing is what the API shows of where the Service's traffic goes, followed
// by a watch at every event.
type Routing struct {
	kind string

	mu    sync.Mutex
	shown map[string]target // by the object's name
	was   []string
	moves []Move
	wrong []string
}

// Move is a change of the targets.
type Move struct {
	At time.Time `json:"at"`
	To []string  `json:"to"`
}

// target is what one object contributes: addresses of a slice, or the pod's
// name if it has the leader's label.
type target []string

// Watch follows the targets of the workload's Service until ctx ends: the
// addresses of its EndpointSlices that get traffic, or in the label form the
// pods that have the leader's label.
func (w *Workload) Watch(ctx context.Context) (*Routing, error) {
	r := &Routing{kind: w.Routing, shown: map[string]target{}}
	path := "/apis/discovery.k8s.io/v1/namespaces/" + w.Namespace + "/endpointslices?labelSelector=" +
		url.QueryEscape("kubernetes.io/service-name="+w.Service)
	if w.Routing == Label {
		path = "/api/v1/namespaces/" + w.Namespace + "/pods?labelSelector=" + url.QueryEscape(w.Selector)
	}
	ready := w.Cluster.Plane.Watch(ctx, path, r.tell)
	select {
	case <-ready:
		return r, nil
	case <-time.After(30 * time.Second):
		return nil, fmt.Errorf("no answer to a list of %s", path)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// tell takes one event. Between a list's first object and its end the targets
// are of two instants, so they are not looked at.
func (r *Routing) tell(c controlplane.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var o object
	if len(c.Object) > 0 && json.Unmarshal(c.Object, &o) != nil {
		return
	}
	switch c.Type {
	case "LISTING":
		clear(r.shown)
		return
	case "LISTED":
		r.shown[o.Metadata.Name] = o.targets(r.kind)
		return
	case "DELETED":
		delete(r.shown, o.Metadata.Name)
	case "ADDED", "MODIFIED":
		r.shown[o.Metadata.Name] = o.targets(r.kind)
	}
	now := r.now()
	if !slices.Equal(now, r.was) {
		r.moves = append(r.moves, Move{At: time.Now(), To: now})
		r.was = now
	}
	if crowded(now) {
		r.wrong = append(r.wrong, fmt.Sprintf("%s: %s", time.Now().UTC().Format("15:04:05.000"), r.tellTargets()))
	}
}

// object is a slice or a pod.
type object struct {
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Endpoints []struct {
		Addresses  []string
		Conditions struct{ Ready *bool }
	}
}

func (o object) targets(kind string) target {
	if kind == Label {
		if o.Metadata.Labels["leader-elector.io/role"] == "leader" {
			return target{o.Metadata.Name}
		}
		return nil
	}
	var all target
	for _, e := range o.Endpoints {
		if e.Conditions.Ready == nil || *e.Conditions.Ready {
			all = append(all, e.Addresses...)
		}
	}
	return all
}

// now are the targets of all objects, each once: kube-proxy knows an address
// that is in two slices once.
func (r *Routing) now() []string {
	all := map[string]bool{}
	for _, targets := range r.shown {
		for _, t := range targets {
			all[t] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// crowded says whether there is more than one target. An address of each
// family is one pod's.
func crowded(targets []string) bool {
	six := 0
	for _, t := range targets {
		if strings.Contains(t, ":") {
			six++
		}
	}
	return six > 1 || len(targets)-six > 1
}

func (r *Routing) tellTargets() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(r.shown)) {
		if len(r.shown[name]) > 0 {
			all = append(all, fmt.Sprintf("%s → %s", name, strings.Join(r.shown[name], ", ")))
		}
	}
	return strings.Join(all, "; ")
}

// Targets are those of now.
func (r *Routing) Targets() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now()
}

// Moves are all changes so far.
func (r *Routing) Moves() []Move {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.moves)
}

// Two are the instants at which there was more than one target.
func (r *Routing) Two() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.wrong)
}

// LeadsTo says why the traffic does not go to the pod and to nobody else.
func (r *Routing) LeadsTo(p *Pod) error {
	want := p.Status.PodIP
	if r.kind == Label {
		want = p.Name()
	}
	if now := r.Targets(); !slices.Equal(now, []string{want}) {
		return fmt.Errorf("%s leads, but the Service's targets are %v and not %s", p.Name(), now, want)
	}
	return nil
}
