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

// Form is one way of running the sidecar, by a manifest of deploy/.
type Form struct {
	Name       string
	Title      string
	Path       string // below deploy/
	Namespace  string
	Deployment string
	Service    string
	Selector   string // of its pods, "key=value"
	App        string // its containers
	Sidecar    string
}

// Forms are all that are tried, by name.
var Forms = []Form{
	{
		Name: "a", Title: "the reference's manifest", Path: "examples/readiness-0.5",
		Namespace: "leader-election-test", Deployment: "music-pod-test", Service: "music",
		Selector: "app=leader-election-test", App: "nginx", Sidecar: "leader-election-test",
	},
	{
		Name: "b", Title: "readiness, modern", Path: "readiness",
		Namespace: "music", Deployment: "music", Service: "music",
		Selector: "app=music", App: "app", Sidecar: "leader-elector",
	},
}

// Workload is a form on a cluster.
type Workload struct {
	Form
	Cluster *cluster.Cluster
	Source  string // the repository's folder
}

// overlay names the images of the tests; everything else is as shipped.
const overlay = `apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [%s]
images:
  - {name: nginxinc/nginx-unprivileged, newName: nginx, newTag: latest}
`

// Apply puts the manifest on the cluster.
func (w *Workload) Apply(ctx context.Context) error {
	dir := filepath.Join(w.Cluster.Dir, "form-"+w.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// Kustomize takes relative paths only.
	path, err := filepath.Rel(dir, filepath.Join(w.Source, "deploy", w.Path))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), fmt.Appendf(nil, overlay, path), 0o644); err != nil {
		return err
	}
	_, err = w.Cluster.Kubectl(ctx, "apply", "-k", dir)
	return err
}

// Drop removes the pods and waits until they are gone. The lock stays, as it
// does in a cluster that is in use.
func (w *Workload) Drop(ctx context.Context) error {
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
