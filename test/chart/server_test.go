package chart

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

// collections are where objects of a kind are posted; %s is the namespace.
var collections = map[string]string{
	"ServiceAccount":      "/api/v1/namespaces/%s/serviceaccounts",
	"Service":             "/api/v1/namespaces/%s/services",
	"Pod":                 "/api/v1/namespaces/%s/pods",
	"Deployment":          "/apis/apps/v1/namespaces/%s/deployments",
	"StatefulSet":         "/apis/apps/v1/namespaces/%s/statefulsets",
	"PodDisruptionBudget": "/apis/policy/v1/namespaces/%s/poddisruptionbudgets",
	"NetworkPolicy":       "/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies",
	"Role":                "/apis/rbac.authorization.k8s.io/v1/namespaces/%s/roles",
	"RoleBinding":         "/apis/rbac.authorization.k8s.io/v1/namespaces/%s/rolebindings",
}

// post makes an object, with unknown and repeated fields refused. Without a
// controller nothing comes of it.
func post(ctx context.Context, plane *controlplane.Plane, namespace string, o Object) error {
	if named, ok := at(map[string]any(o), "metadata", "namespace").(string); ok {
		namespace = named
	}
	path := strings.Replace(collections[o.Kind()], "%s", namespace, 1) + "?fieldValidation=Strict"
	return plane.Do(ctx, http.MethodPost, path, o, nil)
}

// space is the namespace of a set.
func space(set string) string { return "set-" + strings.ReplaceAll(set, ".", "-") }

// TestTheServerTakesEverySetAndPodSecurityItsPods: on a real API server, in a
// namespace that enforces "restricted". The node's network is the one thing
// that it refuses.
func TestTheServerTakesEverySetAndPodSecurityItsPods(t *testing.T) {
	ctx := t.Context()
	plane, err := controlplane.Start(ctx, controlplane.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer plane.Stop()
	all := sets(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		namespace := Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{
			"name": space(name), "labels": map[string]any{"pod-security.kubernetes.io/enforce": "restricted"},
		}}
		if err := plane.Do(ctx, http.MethodPost, "/api/v1/namespaces", namespace, nil); err != nil {
			t.Fatal(err)
		}
	}
	// What that set says is there already: its account, and the lock's namespace.
	lock := Object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "radio"}}
	if err := plane.Do(ctx, http.MethodPost, "/api/v1/namespaces", lock, nil); err != nil {
		t.Fatal(err)
	}
	account := Object{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "radio"}}
	if err := post(ctx, plane, space("from-0.5"), account); err != nil {
		t.Fatal(err)
	}
	for name, values := range all {
		r := music(values)
		r.Namespace = space(name)
		made := objects(t, r)
		made = append(made, madePod(t, made))
		for _, o := range made {
			if _, there := collections[o.Kind()]; !there {
				decoded(t, o)
				continue
			}
			err := post(ctx, plane, r.Namespace, o)
			if name == "hostnetwork" && o.Kind() == "Pod" && o.Name() == "made" {
				if err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
					t.Errorf("Pod Security lets the node's network pass, or says something else: %v", err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %s %s: %v", name, o.Kind(), o.Name(), err)
			}
		}
	}
}

// madePod is a pod as the workload's controller would make it.
func madePod(t *testing.T, all []Object) Object {
	t.Helper()
	spec := pod(t, all)
	claims, _ := at(map[string]any(find(all, "StatefulSet", "music")), "spec", "volumeClaimTemplates").([]any)
	for _, c := range claims {
		volumes, _ := spec["volumes"].([]any)
		spec["volumes"] = append(volumes, map[string]any{
			"name": at(c, "metadata", "name"), "persistentVolumeClaim": map[string]any{"claimName": "claimed"},
		})
	}
	return Object{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "made"}, "spec": spec}
}

// decoded reads an object of the Prometheus operator by its own types.
func decoded(t *testing.T, o Object) {
	t.Helper()
	into := map[string]any{"PodMonitor": &monitoring.PodMonitor{}, "PrometheusRule": &monitoring.PrometheusRule{}}[o.Kind()]
	if into == nil {
		t.Fatalf("this test knows no %s", o.Kind())
	}
	data, err := yaml.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(data, into); err != nil {
		t.Errorf("%s %s: %v", o.Kind(), o.Name(), err)
	}
}

// TestANetworkPolicyNamesThePortsOfThePods: a port that no container has would
// cut it off.
func TestANetworkPolicyNamesThePortsOfThePods(t *testing.T) {
	made := objects(t, music("networkPolicy: {enabled: true, electionFrom: [{podSelector: {}}]}\nsidecar: {http: ':4141'}\napp: {ports: [{name: a, containerPort: 9000, servicePort: 80}]}"))
	var ports []any
	for _, rule := range at(map[string]any(find(made, "NetworkPolicy", "music")), "spec", "ingress").([]any) {
		ports = append(ports, at(rule, "ports", 0, "port"))
	}
	spec := pod(t, made)
	want := []any{at(spec, "containers", 0, "ports", 0, "containerPort"), at(spec, "initContainers", 0, "ports", 0, "containerPort")}
	if !slices.Equal(ports, want) || want[1] == nil {
		t.Errorf("the policy lets %v in, the pod listens on %v", ports, want)
	}
}
