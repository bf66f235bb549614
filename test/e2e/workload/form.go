// Package workload puts the project's manifests on the test cluster and sees
// what becomes of their pods.
package workload

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/test/e2e/cluster"
)

// The ways in which a form's traffic follows the leader.
const (
	Readiness     = "readiness"
	EndpointSlice = "endpointslice"
	Label         = "label"
)

// Form is one way of running the sidecar, by a manifest of deploy/.
type Form struct {
	Name       string
	Title      string
	Path       string // below deploy/
	Routing    string // how its traffic follows
	Namespace  string // where it is put; the manifest may name another
	Deployment string
	Service    string
	Election   string
	Selector   string // of its pods, "key=value"
	App        string // its containers
	Sidecar    string
	// Rate is how often its Service is asked.
	Rate time.Duration
	// Anew says that a trial may find nothing of an earlier one.
	Anew bool
	// Brief is how often a plain run makes each of its trials.
	Brief int
}

// AllReady says that the standby is as Ready as the leader, so that the traffic
// follows the sidecar's own writing.
func (f Form) AllReady() bool { return f.Routing != Readiness }

// Forms are all that are tried, by name.
var Forms = []Form{
	{
		Name: "a", Title: "the reference's manifest", Path: "examples/readiness-0.5", Routing: Readiness,
		Namespace: "leader-election-test", Deployment: "music-pod-test", Service: "music", Election: "example",
		Selector: "app=leader-election-test", App: "nginx", Sidecar: "leader-election-test",
		Rate: 20 * time.Millisecond, Brief: 2,
	},
	{
		Name: "b", Title: "readiness, modern", Path: "readiness", Routing: Readiness,
		Namespace: "music", Deployment: "music", Service: "music", Election: "music",
		Selector: "app=music", App: "app", Sidecar: "leader-elector",
		Rate: 20 * time.Millisecond, Brief: 2,
	},
	{
		Name: "c", Title: "EndpointSlice, recommended", Path: "endpointslice", Routing: EndpointSlice,
		Namespace: "music-c", Deployment: "music", Service: "music", Election: "music",
		Selector: "app=music", App: "app", Sidecar: "leader-elector",
		// What is to be heard is milliseconds.
		Rate: 5 * time.Millisecond, Brief: 2,
	},
	{
		Name: "d", Title: "label", Path: "label", Routing: Label,
		Namespace: "music-d", Deployment: "music", Service: "music", Election: "music",
		Selector: "app=music", App: "app", Sidecar: "leader-elector",
		Rate: 5 * time.Millisecond, Brief: 1,
	},
}

// Moving is a form that becomes another within a trial: it begins as "b" and
// ends as "c".
var Moving = Form{
	Name: "m", Title: "from readiness to EndpointSlice", Path: "readiness", Routing: Readiness,
	Namespace: "music-m", Deployment: "music", Service: "music", Election: "music",
	Selector: "app=music", App: "app", Sidecar: "leader-elector",
	Rate: 5 * time.Millisecond, Anew: true, Brief: 1,
}

// Workload is a form on a cluster.
type Workload struct {
	Form
	Cluster *cluster.Cluster
	Source  string // the repository's folder
	Churn   bool   // the endpoints of other Services change meanwhile
}

// overlay names the images of the tests, and a namespace for each form;
// everything else is as shipped.
const overlay = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: %s
resources: [%s]
images:
  - {name: nginxinc/nginx-unprivileged, newName: nginx, newTag: latest}
`

// Apply puts the manifest on the cluster.
func (w *Workload) Apply(ctx context.Context) error {
	dir, err := w.Overlay()
	if err == nil {
		_, err = w.Cluster.Kubectl(ctx, "apply", "-k", dir)
	}
	return err
}

// Overlay writes a kustomization of the form for the cluster, and returns its
// folder.
func (w *Workload) Overlay() (string, error) {
	dir := filepath.Join(w.Cluster.Dir, "form-"+w.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	// Kustomize takes relative paths only.
	path, err := filepath.Rel(dir, filepath.Join(w.Source, "deploy", w.Path))
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), fmt.Appendf(nil, overlay, w.Namespace, path), 0o644)
}

// Drop removes the pods and waits until they are gone. The lock stays, as it
// does in a cluster that is in use.
func (w *Workload) Drop(ctx context.Context) error {
	if w.Anew {
		_, err := w.Cluster.Kubectl(ctx, "delete", "namespace", w.Namespace, "--ignore-not-found", "--timeout=2m")
		return err
	}
	if _, err := w.Cluster.Kubectl(ctx, "delete", "deployment", w.Deployment, "-n", w.Namespace,
		"--ignore-not-found", "--cascade=foreground", "--wait=false"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return cluster.Until(ctx, 300*time.Millisecond, func(ctx context.Context) error {
		pods, err := w.Pods(ctx)
		if err == nil && len(pods) > 0 {
			err = fmt.Errorf("%d pods are still there", len(pods))
		}
		return err
	})
}

// Address is the Service's ClusterIP.
func (w *Workload) Address(ctx context.Context) (string, error) {
	var service struct{ Spec struct{ ClusterIP string } }
	err := w.Cluster.Plane.Do(ctx, http.MethodGet, "/api/v1/namespaces/"+w.Namespace+"/services/"+w.Service, nil, &service)
	return service.Spec.ClusterIP, err
}

// Columns are those that the article shows, as kubectl prints them: READY of
// the pods, sorted by kubectl, and DESIRED CURRENT READY of the newest ReplicaSet.
func (w *Workload) Columns(ctx context.Context) (ready []string, replicas string, err error) {
	out, err := w.Cluster.Kubectl(ctx, "get", "pods", "-n", w.Namespace, "-l", w.Selector, "--no-headers")
	if err != nil {
		return nil, "", err
	}
	for line := range strings.Lines(out) {
		ready = append(ready, strings.Fields(line)[1])
	}
	out, err = w.Cluster.Kubectl(ctx, "get", "rs", "-n", w.Namespace, "-l", w.Selector, "--no-headers",
		"--sort-by=.metadata.creationTimestamp")
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 3 {
			replicas = strings.Join(f[1:4], " ")
		}
	}
	return ready, replicas, err
}
