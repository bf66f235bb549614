package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/leader-elector/leader-elector/kubectl-leader/candidate"
	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
	"github.com/leader-elector/leader-elector/kubectl-leader/record"
)

// shipped are the rights that Roles below deploy/ give, one for each verb and name.
func shipped(t *testing.T, roles ...string) (rules []string) {
	t.Helper()
	for _, path := range roles {
		data, err := os.ReadFile(filepath.Join("..", "deploy", filepath.FromSlash(path)))
		if err != nil {
			t.Fatal(err)
		}
		var role rbacv1.Role
		if err := yaml.UnmarshalStrict(data, &role); err != nil {
			t.Fatal(err)
		}
		for _, r := range role.Rules {
			for _, verb := range r.Verbs {
				for _, name := range append(slices.Clone(r.ResourceNames), make([]string, max(0, 1-len(r.ResourceNames)))...) {
					rules = append(rules, cluster.Need{Verb: verb, Group: r.APIGroups[0], Resource: r.Resources[0], Name: name}.Rule())
				}
			}
		}
	}
	slices.Sort(rules)
	return rules
}

// What describe looks for is what the shipped Roles give, no more and no less.
func TestTheRightsOfACandidateAreThoseThatWeShip(t *testing.T) {
	for name, c := range map[string]struct {
		settings map[string]string
		roles    []string
	}{
		"the election alone": {map[string]string{}, []string{"base/role.yaml"}},
		"an EndpointSlice": {map[string]string{"route": "endpointslice", "service": "example"},
			[]string{"base/role.yaml", "components/endpointslice/role.yaml"}},
		"labels":         {map[string]string{"route": "label"}, []string{"base/role.yaml", "components/label/role.yaml"}},
		"events":         {map[string]string{"events": ""}, []string{"base/role.yaml", "components/events/role.yaml"}},
		"events are off": {map[string]string{"events": "false"}, []string{"base/role.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "music"}}
			pod.Status.PodIPs = []corev1.PodIP{{IP: "192.0.2.1"}, {IP: "2001:db8::1"}}
			k := &candidate.Candidate{Pod: pod, Settings: c.settings}
			var got []string
			for _, n := range ofCandidates(&record.Record{Kind: record.Leases, Namespace: "music", Name: "example"}, k) {
				got = append(got, n.Rule())
			}
			slices.Sort(got)
			if want := shipped(t, c.roles...); !slices.Equal(got, want) {
				t.Errorf("it looks for\n%q, and shipped are\n%q", got, want)
			}
		})
	}
}
