package workload

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leader-elector/leader-elector/test/controlplane"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

var update = flag.Bool("update", false, "write deploy/endpointslice/manifest.yaml anew")

const deploy = "../../../deploy"

func render(t *testing.T, path string) resmap.ResMap {
	t.Helper()
	all, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), path)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// kustomizations are the folders below deploy/ that can be applied, or are
// components if that is asked for.
func kustomizations(t *testing.T, components bool) (dirs []string) {
	t.Helper()
	err := filepath.WalkDir(deploy, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == "kustomization.yaml" {
			data, e := os.ReadFile(path)
			if err = e; strings.Contains(string(data), "\nkind: Component\n") == components {
				dirs = append(dirs, filepath.Dir(path))
			}
		}
		return err
	})
	if err != nil || len(dirs) < 3 {
		t.Fatalf("found %v: %v", dirs, err)
	}
	return dirs
}

// collections are where objects of a kind are posted; %s is the namespace.
var collections = map[string]string{
	"Namespace":           "/api/v1/namespaces",
	"ServiceAccount":      "/api/v1/namespaces/%s/serviceaccounts",
	"Service":             "/api/v1/namespaces/%s/services",
	"Deployment":          "/apis/apps/v1/namespaces/%s/deployments",
	"StatefulSet":         "/apis/apps/v1/namespaces/%s/statefulsets",
	"Job":                 "/apis/batch/v1/namespaces/%s/jobs",
	"ConfigMap":           "/api/v1/namespaces/%s/configmaps",
	"NetworkPolicy":       "/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies",
	"PodDisruptionBudget": "/apis/policy/v1/namespaces/%s/poddisruptionbudgets",
	"Role":                "/apis/rbac.authorization.k8s.io/v1/namespaces/%s/roles",
	"RoleBinding":         "/apis/rbac.authorization.k8s.io/v1/namespaces/%s/rolebindings",
	"ClusterRole":         "/apis/rbac.authorization.k8s.io/v1/clusterroles",
	"ClusterRoleBinding":  "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}

// TestEveryManifestIsTakenByTheServer posts each object of each folder, with
// unknown and repeated fields refused.
func TestEveryManifestIsTakenByTheServer(t *testing.T) {
	ctx := context.Background()
	plane, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer plane.Stop()
	for _, dir := range kustomizations(t, false) {
		for _, r := range render(t, dir).Resources() {
			o, err := r.Map()
			if err != nil {
				t.Fatal(err)
			}
			path, known := collections[r.GetKind()]
			if !known {
				t.Fatalf("%s has a %s, whose path this test does not know", dir, r.GetKind())
			}
			namespace := r.GetNamespace()
			if namespace == "" {
				namespace = "default" // deploy/base is for an overlay that names one
			}
			path = strings.Replace(path, "%s", namespace, 1) + "?fieldValidation=Strict"
			if r.GetKind() != "Namespace" {
				path += "&dryRun=All"
			}
			err = plane.Do(ctx, http.MethodPost, path, o, nil)
			if there := new(controlplane.StatusError); err != nil && !(errors.As(err, &there) && there.Code == http.StatusConflict) {
				t.Errorf("%s: %s %s: %v", dir, r.GetKind(), r.GetName(), err)
			}
		}
	}
}

// TestTheRecommendedManifestIsOneFileToo keeps the file that a reader sees what
// kustomize makes.
func TestTheRecommendedManifestIsOneFileToo(t *testing.T) {
	made, err := render(t, filepath.Join(deploy, "endpointslice")).AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	text := "# Made of deploy/endpointslice by `go test ./workload -update` in test/e2e; do not edit.\n" + string(made)
	path := filepath.Join(deploy, "endpointslice", "manifest.yaml")
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if is, err := os.ReadFile(path); err != nil || string(is) != text {
		t.Errorf("%s is not what kustomize makes (%v); write it with -update", path, err)
	}
}

// TestNothingSelectsPodsWhereASliceRoutes: a selector would bring addresses
// beside the leader's.
func TestNothingSelectsPodsWhereASliceRoutes(t *testing.T) {
	for _, f := range Forms {
		if f.Routing != EndpointSlice {
			continue
		}
		for _, r := range render(t, filepath.Join(deploy, f.Path)).Resources() {
			o, _ := r.Map()
			if spec, _ := o["spec"].(map[string]any); r.GetKind() == "Service" && spec["selector"] != nil {
				t.Errorf("the Service %s has a selector", r.GetName())
			}
		}
	}
}
