package main

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
	"github.com/leader-elector/leader-elector/kubectl-leader/record"
)

// eventView is one event of the lock or of a candidate's pod.
type eventView struct {
	Last    time.Time `json:"last"`
	Count   int32     `json:"count"`
	Type    string    `json:"type"`
	Reason  string    `json:"reason"`
	Object  string    `json:"object"`
	Message string    `json:"message"`
}

// maxEvents is how many are shown, the newest.
const maxEvents = 20

// events reads those of the lock and of the candidates' pods, oldest first.
func events(ctx context.Context, c *cluster.Client, s *survey) ([]eventView, error) {
	type object struct{ namespace, kind, name string }
	kind := "Lease"
	if s.record.Kind == record.Endpoints {
		kind = "Endpoints"
	}
	objects := []object{{s.record.Namespace, kind, s.record.Name}}
	for _, k := range s.candidates {
		objects = append(objects, object{k.Pod.Namespace, "Pod", k.Pod.Name})
	}
	lists, errs := make([]*corev1.EventList, len(objects)), make([]error, len(objects))
	var work sync.WaitGroup
	for i, o := range objects {
		work.Go(func() {
			chosen := fields.Set{"involvedObject.kind": o.kind, "involvedObject.name": o.name}
			lists[i], errs[i] = c.Core.Events(o.namespace).List(ctx, metav1.ListOptions{FieldSelector: chosen.String(), Limit: 500})
		})
	}
	work.Wait()
	found := []eventView{}
	for i, o := range objects {
		if errs[i] != nil {
			return nil, cluster.Need{Verb: "list", Resource: "events", Namespace: o.namespace}.Explain(errs[i])
		}
		for _, e := range lists[i].Items {
			found = append(found, newEventView(&e))
		}
	}
	slices.SortFunc(found, func(a, b eventView) int { return cmp.Or(a.Last.Compare(b.Last), cmp.Compare(a.Object, b.Object)) })
	return found[max(0, len(found)-maxEvents):], nil
}

// newEventView reads an event of either API: the newer one leaves the older
// one's fields empty.
func newEventView(e *corev1.Event) eventView {
	v := eventView{
		Last: e.LastTimestamp.Time, Count: max(e.Count, 1), Type: e.Type, Reason: e.Reason,
		Object: e.InvolvedObject.Kind + "/" + e.InvolvedObject.Name, Message: e.Message,
	}
	if v.Last.IsZero() {
		v.Last = e.EventTime.Time
	}
	if e.Series != nil {
		v.Count = max(v.Count, e.Series.Count)
		if last := e.Series.LastObservedTime.Time; last.After(v.Last) {
			v.Last = last
		}
	}
	if v.Last.IsZero() {
		v.Last = e.CreationTimestamp.Time
	}
	v.Last = v.Last.UTC()
	return v
}
