package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/leader-elector/leader-elector/kubectl-leader/record"
)

var endpoints = schema.GroupVersionResource{Version: "v1", Resource: "endpoints"}

// ErrNoLock says that there is no lock object of that name.
var ErrNoLock = errors.New("there is no such election")

// LockNeed is the right to do something with the locks of a kind.
func LockNeed(verb string, kind record.Kind, namespace, name string) Need {
	n := Need{Verb: verb, Resource: string(kind), Namespace: namespace, Name: name}
	if kind == record.Leases {
		n.Group = "coordination.k8s.io"
	}
	return n
}

// Page is one answer to a list, or a part of it.
type Page struct {
	Records  []record.Record
	Version  string // of the list
	Continue string // what asks for the next part; empty: this was the last
}

// List reads the objects of a kind, elections or not, in one request. opts may
// limit it.
func (c *Client) List(ctx context.Context, kind record.Kind, namespace string, opts metav1.ListOptions) (Page, error) {
	need := LockNeed("list", kind, namespace, "")
	if kind == record.Endpoints {
		all, err := c.meta.Resource(endpoints).Namespace(namespace).List(ctx, opts)
		if err != nil {
			return Page{}, need.Explain(err)
		}
		p := Page{Records: make([]record.Record, len(all.Items)), Version: all.ResourceVersion, Continue: all.Continue}
		for i := range all.Items {
			p.Records[i] = record.OfEndpoints(&all.Items[i].ObjectMeta)
		}
		return p, nil
	}
	all, err := c.Coordination.Leases(namespace).List(ctx, opts)
	if err != nil {
		return Page{}, need.Explain(err)
	}
	p := Page{Records: make([]record.Record, len(all.Items)), Version: all.ResourceVersion, Continue: all.Continue}
	for i := range all.Items {
		p.Records[i] = record.OfLease(&all.Items[i])
	}
	return p, nil
}

// Get reads one lock consistently. If there is none, the error is ErrNoLock.
func (c *Client) Get(ctx context.Context, kind record.Kind, namespace, name string) (record.Record, error) {
	var r record.Record
	var err error
	if kind == record.Endpoints {
		var o *metav1.PartialObjectMetadata
		if o, err = c.meta.Resource(endpoints).Namespace(namespace).Get(ctx, name, metav1.GetOptions{}); err == nil {
			r = record.OfEndpoints(&o.ObjectMeta)
		}
	} else {
		var l *coordinationv1.Lease
		if l, err = c.Coordination.Leases(namespace).Get(ctx, name, metav1.GetOptions{}); err == nil {
			r = record.OfLease(l)
		}
	}
	if apierrors.IsNotFound(err) {
		return r, fmt.Errorf("%w: the namespace %q has no lock %q among its %s", ErrNoLock, namespace, name, kind)
	}
	return r, LockNeed("get", kind, namespace, name).Explain(err)
}

// Watch starts a watch of the locks of a kind; name is empty for all of them.
func (c *Client) Watch(ctx context.Context, kind record.Kind, namespace, name string, opts metav1.ListOptions) (watch.Interface, error) {
	if name != "" {
		opts.FieldSelector = fields.OneTermEqualSelector("metadata.name", name).String()
	}
	var w watch.Interface
	var err error
	if kind == record.Endpoints {
		w, err = c.meta.Resource(endpoints).Namespace(namespace).Watch(ctx, opts)
	} else {
		w, err = c.Coordination.Leases(namespace).Watch(ctx, opts)
	}
	return w, LockNeed("watch", kind, namespace, name).Explain(err)
}

// Read reads what a watch brought; ok is false for what is no lock, such as a
// bookmark's empty object of another kind.
func Read(o runtime.Object) (r record.Record, ok bool) {
	switch o := o.(type) {
	case *coordinationv1.Lease:
		return record.OfLease(o), true
	case *metav1.PartialObjectMetadata:
		return record.OfEndpoints(&o.ObjectMeta), true
	}
	return r, false
}

// Annotate sets annotations of exactly the version of the lock that was read;
// a nil value removes one. A conflict says that somebody wrote meanwhile.
func (c *Client) Annotate(ctx context.Context, r record.Record, notes map[string]any, dryRun bool) (record.Record, error) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": r.UID, "resourceVersion": fmt.Sprint(r.Version), "annotations": notes,
	}})
	if err != nil {
		return r, err
	}
	opts := metav1.PatchOptions{FieldManager: "kubectl-leader"}
	if dryRun {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	need := LockNeed("patch", r.Kind, r.Namespace, r.Name)
	if r.Kind == record.Endpoints {
		o, err := c.meta.Resource(endpoints).Namespace(r.Namespace).Patch(ctx, r.Name, types.MergePatchType, patch, opts)
		if err != nil {
			return r, need.Explain(err)
		}
		return record.OfEndpoints(&o.ObjectMeta), nil
	}
	l, err := c.Coordination.Leases(r.Namespace).Patch(ctx, r.Name, types.MergePatchType, patch, opts)
	if err != nil {
		return r, need.Explain(err)
	}
	return record.OfLease(l), nil
}
