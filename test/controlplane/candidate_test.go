package controlplane

import (
	"cmp"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestACandidateHasTheShippedRoleAndATokenOfItsPod(t *testing.T) {
	plane := running(t)
	ns, err := plane.Namespace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	music := CandidateOptions{Namespace: ns, Pod: "music-0", Election: "music"}
	t.Run("the token is its pod's", func(t *testing.T) {
		c, err := plane.Candidate(t.Context(), music)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(c.Token, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"namespace":"` + ns + `"`, `"name":"music-0"`, `"uid":"` + c.PodUID + `"`} {
			if !strings.Contains(string(payload), want) {
				t.Errorf("the token's claims lack %s: %s", want, payload)
			}
		}
	})
	for _, lock := range []string{"", "leases", "endpoints"} {
		t.Run("the API server holds the shipped Role, lock="+lock, func(t *testing.T) {
			o := music
			o.Lock, o.Pod = lock, "by-"+cmp.Or(lock, "default")
			if _, err := plane.Candidate(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			name := o.Pod + "-music"
			if lock == "endpoints" {
				name += "-endpoints"
			}
			if got, want := rules(t, plane, ns, name), shipped(t, lock); !reflect.DeepEqual(got, want) {
				t.Errorf("the Role is %+v, shipped is %+v", got, want)
			}
		})
	}
	t.Run("joining again replaces the rights", func(t *testing.T) {
		o := music
		for _, without := range [][]string{nil, {"watch"}, {"get", "list", "watch", "update", "create"}, nil} {
			o.Without = without
			if _, err := plane.Candidate(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			want := shipped(t, "")
			for i := range want {
				want[i].Verbs = slices.DeleteFunc(want[i].Verbs, func(v string) bool { return slices.Contains(without, v) })
			}
			want = slices.DeleteFunc(want, func(r Rule) bool { return len(r.Verbs) == 0 })
			if got := rules(t, plane, ns, "music-0-music"); len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
				t.Errorf("without %v the Role is %+v, want %+v", without, got, want)
			}
		}
	})
	t.Run("a refusal is a StatusError", func(t *testing.T) {
		err := plane.Do(t.Context(), "GET", "/api/v1/namespaces/no-such", nil, nil)
		var status *StatusError
		if !errors.As(err, &status) || status.Code != http.StatusNotFound {
			t.Errorf("asking for what is not there: %v", err)
		}
	})
}

// rules are those of a Role as the API server has it.
func rules(t *testing.T, plane *Plane, namespace, name string) []Rule {
	t.Helper()
	var role Role
	path := "/apis/rbac.authorization.k8s.io/v1/namespaces/" + namespace + "/roles/" + name
	if err := plane.Do(t.Context(), "GET", path, nil, &role); err != nil {
		t.Fatal(err)
	}
	return role.Rules
}

// shipped are the rules as they stand in the file, with the election put in by
// plain text, so that the code under test has no part in it.
func shipped(t *testing.T, lock string) []Rule {
	t.Helper()
	file := "role.yaml"
	if lock == "endpoints" {
		file = "role-endpoints.yaml"
	}
	data, err := os.ReadFile(filepath.Join("..", "..", "deploy", "base", file))
	if err != nil {
		t.Fatal(err)
	}
	var role Role
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(string(data), "[example]", "[music]")), &role); err != nil {
		t.Fatal(err)
	}
	return role.Rules
}

func TestALockWithoutAShippedRoleIsRefused(t *testing.T) {
	if _, err := shippedRole(CandidateOptions{Lock: "configmaps"}); err == nil || !strings.Contains(err.Error(), "leases, endpoints and endpoints+leases") {
		t.Errorf("a lock of configmaps: %v", err)
	}
}
