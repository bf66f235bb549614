// Package example tries the examples of deploy/examples on real nodes: each is
// applied as it is shipped, does its job, hands over once, and goes on.
package example

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/test/e2e/cluster"
)

// Example is one folder of deploy/examples.
type Example struct {
	Name     string // the folder, and the namespace
	Election string
	Kind     string // of its workload, for kubectl rollout status; empty: it has an end
	Selector string
	// Works says what is seen of the work while a pod leads; it is called before
	// the hand-over, with the leader, and after it, with the new one.
	Works func(ctx context.Context, r *run, leader string) error
	// Service is its name; empty: music.
	Service string
	// Move hands the lead over; nil: by the annotation of the Lease.
	Move func(ctx context.Context, r *run, leader string) error
	// Apply puts it on the cluster; nil: by kubectl apply -k.
	Apply func(ctx context.Context, r *run, source string) error
	// Alone says that a listener judges it, who would hear what others do to the
	// machine meanwhile.
	Alone bool
	// Last is what else is done with it in the end; nil: nothing.
	Last func(ctx context.Context, r *run, source string) error
}

// All are those that are tried.
var All = []Example{
	{Name: "stream", Election: "music", Kind: "deployment/music", Selector: "app=music", Works: streams, Move: moveStream},
	{Name: "worker", Election: "worker", Kind: "deployment/worker", Selector: "app=worker", Works: acts, Move: moveWorker},
	{Name: "state-file", Election: "state-file", Kind: "deployment/state-file", Selector: "app=state-file", Works: acts},
	{Name: "statefulset", Election: "music", Kind: "statefulset/music", Selector: "app=music", Works: serves},
	{Name: "job", Election: "import", Selector: "app=import", Works: completes},
	{Name: "hostnetwork", Election: "music", Kind: "deployment/music", Selector: "app=music", Works: serves},
	// The network of the test cluster ignores policies: this shows only that
	// they are taken, and what they do is seen elsewhere or nowhere.
	{Name: "networkpolicy", Election: "music", Kind: "deployment/music", Selector: "app=music", Works: serves},
	{Name: "chart", Election: "music", Kind: "deployment/music", Selector: "app.kubernetes.io/name=music", Works: serves, Apply: installChart, Last: useChart},
	{Name: "inject", Election: "nginx", Kind: "deployment/nginx", Selector: "app=nginx", Service: "nginx", Apply: injectFresh, Works: serves},
	{Name: "inject-living", Election: "nginx", Kind: "deployment/nginx", Selector: "app=nginx", Service: "nginx", Alone: true, Apply: injectLiving, Works: serves, Last: uninject},
}

// overlay names the images of the tests; everything else is as shipped.
const overlay = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [%s]
images:
  - {name: nginxinc/nginx-unprivileged, newName: nginx, newTag: latest}
  - {name: debian, newName: nginx, newTag: latest}
`

// run is one example on a cluster.
type run struct {
	Example
	c      *cluster.Cluster
	stream *stream // that a client holds
	term   uint64  // of the newest act that was seen
}

// Try applies the example, sees it work, hands over, sees it work on, and
// deletes it.
func Try(ctx context.Context, c *cluster.Cluster, source string, e Example) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	r := &run{Example: e, c: c}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
		defer cancel()
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, r.story(ctx))
		}
		_, gone := c.Kubectl(ctx, "delete", "namespace", e.Name, "--timeout=110s")
		err = errors.Join(err, gone)
	}()
	apply := e.Apply
	if apply == nil {
		apply = func(ctx context.Context, r *run, source string) error { return r.apply(ctx, source) }
	}
	if err := apply(ctx, r, source); err != nil {
		return err
	}
	if e.Kind == "" {
		return e.Works(ctx, r, "")
	}
	if _, err := r.kubectl(ctx, "rollout", "status", e.Kind, "--timeout=90s"); err != nil {
		return err
	}
	leader, err := r.leader(ctx, "")
	if err != nil {
		return err
	}
	if err := e.Works(ctx, r, leader); err != nil {
		return fmt.Errorf("before the hand-over: %w", err)
	}
	move := e.Move
	if move == nil {
		move = func(ctx context.Context, r *run, leader string) error { return r.annotate(ctx, leader) }
	}
	if err := move(ctx, r, leader); err != nil {
		return fmt.Errorf("handing over: %w", err)
	}
	if leader, err = r.leader(ctx, leader); err != nil {
		return err
	}
	if err := e.Works(ctx, r, leader); err != nil {
		return fmt.Errorf("after the hand-over: %w", err)
	}
	if e.Last != nil {
		return e.Last(ctx, r, source)
	}
	return nil
}

func (r *run) apply(ctx context.Context, source string) error {
	dir := filepath.Join(r.c.Dir, "example-"+r.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path, err := filepath.Rel(dir, filepath.Join(source, "deploy", "examples", r.Name))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), fmt.Appendf(nil, overlay, path), 0o644); err != nil {
		return err
	}
	_, err = r.c.Kubectl(ctx, "apply", "-k", dir)
	return err
}

func (r *run) kubectl(ctx context.Context, args ...string) (string, error) {
	return r.c.Kubectl(ctx, append([]string{"--namespace=" + r.Name}, args...)...)
}

// leader waits until the Lease names somebody else than before.
func (r *run) leader(ctx context.Context, before string) (leader string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	err = cluster.Until(ctx, 100*time.Millisecond, func(ctx context.Context) error {
		var lease struct {
			Spec struct{ HolderIdentity string }
		}
		path := "/apis/coordination.k8s.io/v1/namespaces/" + r.Name + "/leases/" + r.Election
		if err := r.c.Plane.Do(ctx, http.MethodGet, path, nil, &lease); err != nil {
			return err
		}
		leader = lease.Spec.HolderIdentity
		pods, err := r.pods(ctx)
		if err == nil && (leader == before || !slices.Contains(pods, leader)) {
			err = fmt.Errorf("the Lease names %q, before it was %q; there are the pods %q", leader, before, pods)
		}
		return err
	})
	return leader, err
}

func (r *run) pods(ctx context.Context) ([]string, error) {
	out, err := r.kubectl(ctx, "get", "pods", "-l", r.Selector, "-o", "jsonpath={.items[*].metadata.name}")
	return strings.Fields(out), err
}

func (r *run) service() string {
	if r.Service == "" {
		return "music"
	}
	return r.Service
}

// annotate asks for a hand-over as an operator does who may not exec.
func (r *run) annotate(ctx context.Context, leader string) error {
	_, err := r.kubectl(ctx, "annotate", "lease", r.Election, "leader-elector.io/switchover-to="+leader+"/")
	return err
}

// story is what explains a failure.
func (r *run) story(ctx context.Context) string {
	var all strings.Builder
	for _, args := range [][]string{
		{"get", "pods,leases,endpointslices,endpoints,jobs", "-o", "wide"}, {"get", "events", "--sort-by=.lastTimestamp"},
		{"logs", "-l", r.Selector, "--all-containers", "--prefix", "--tail=40"},
	} {
		out, err := r.kubectl(ctx, args...)
		fmt.Fprintf(&all, "== kubectl %s\n%s\n", strings.Join(args, " "), out)
		if err != nil {
			fmt.Fprintln(&all, err)
		}
	}
	return all.String()
}
