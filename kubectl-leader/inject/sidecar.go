package inject

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// ownName is the sidecar's container, and the beginning of all other names.
const ownName = "leader-elector"

// The ways in which traffic follows the lead.
const (
	EndpointSlice = "endpointslice"
	Label         = "label"
	Readiness     = "readiness"
	None          = "none"
)

// defaultPort is what the sidecar answers on.
const defaultPort = 4040

// tokenVolume gives the sidecar a token where the pod mounts none.
const tokenVolume = "leader-elector-token"

// container is the sidecar as the recommended manifest has it
// (deploy/endpointslice/manifest.yaml), with what that says for the whole pod
// said for the container: the app's own security context is not ours.
func (e *election) container() fields {
	c := fields{{"name", ownName}, {"image", e.image}, {"restartPolicy", "Always"}, {"args", words(e.args()...)}}
	if env := e.env(); len(env) > 0 {
		c = append(c, field{"env", env})
	}
	c = append(c, field{"ports", []any{fields{{"name", "election"}, {"containerPort", e.port}}}})
	if e.handsOver() {
		c = append(c, field{"lifecycle", fields{{"preStop", fields{{"exec", fields{{"command", words("/leader-elector", "step-down", "--wait")}}}}}}})
	}
	c = append(c, field{"livenessProbe", fields{{"httpGet", fields{{"path", "/livez"}, {"port", "election"}}}, {"periodSeconds", 10}, {"timeoutSeconds", 5}}})
	if e.route == EndpointSlice || e.route == None {
		// The other two route by the pod being Ready, which it is not while the
		// sidecar restarts.
		c = append(c, field{"readinessProbe", fields{{"httpGet", fields{{"path", "/readyz"}, {"port", e.port}}}, {"periodSeconds", 2}}})
	}
	c = append(c,
		field{"securityContext", fields{
			{"allowPrivilegeEscalation", false}, {"readOnlyRootFilesystem", true}, {"capabilities", fields{{"drop", words("ALL")}}},
			{"runAsNonRoot", true}, {"runAsUser", 65532}, {"runAsGroup", 65532}, {"seccompProfile", fields{{"type", "RuntimeDefault"}}},
		}},
		field{"resources", fields{{"requests", fields{{"cpu", "10m"}, {"memory", "16Mi"}}}, {"limits", fields{{"memory", "32Mi"}}}}})
	if e.tokenVolume {
		c = append(c, field{"volumeMounts", []any{fields{{"name", tokenVolume}, {"mountPath", "/var/run/secrets/kubernetes.io/serviceaccount"}, {"readOnly", true}}}})
	}
	return c
}

// handsOver says whether the sidecar hands over before the app ends. Without
// routing of its own nobody would be sent to the new leader sooner by it.
func (e *election) handsOver() bool { return e.route == EndpointSlice || e.route == Label }

// linger is how many seconds the app stays after that, as kube-proxy needs them.
func (e *election) linger() int {
	return map[string]int{EndpointSlice: 1, Label: 2}[e.route]
}

// args are what the options say, and what an earlier injection or a hand wrote
// of other flags.
func (e *election) args() []string {
	args := []string{"--election=" + e.name}
	for _, url := range e.health {
		args = append(args, "--health-check="+url)
	}
	for _, a := range [][2]string{{"service", e.service}, {"election-namespace", e.saidNamespace}, {"lock", e.saidLock}, {"ttl", e.saidTTL}, {"pod-ip", e.podIP}} {
		if a[1] != "" {
			args = append(args, "--"+a[0]+"="+a[1])
		}
	}
	return append(args, e.otherArgs...)
}

func (e *election) env() (env []any) {
	if e.route == EndpointSlice || e.route == Label {
		env = append(env, fields{{"name", "LEADER_ELECTOR_ROUTE"}, {"value", e.route}})
	}
	if e.port != defaultPort {
		env = append(env, fields{{"name", "LEADER_ELECTOR_HTTP"}, {"value", fmt.Sprintf(":%d", e.port)}})
	}
	if e.podIP != "" {
		env = append(env, fields{{"name", "POD_IPS"}, {"valueFrom", fields{{"fieldRef", fields{{"fieldPath", "status.podIPs"}}}}}})
	}
	return env
}

// token is the volume that Kubernetes would mount itself if the pod let it. The
// app sees nothing of it.
func token() fields {
	return fields{{"name", tokenVolume}, {"projected", fields{{"sources", []any{
		fields{{"serviceAccountToken", fields{{"path", "token"}, {"expirationSeconds", 3607}}}},
		fields{{"configMap", fields{{"name", "kube-root-ca.crt"}, {"items", []any{fields{{"key", "ca.crt"}, {"path", "ca.crt"}}}}}}},
		fields{{"downwardAPI", fields{{"items", []any{fields{{"path", "namespace"}, {"fieldRef", fields{{"fieldPath", "metadata.namespace"}}}}}}}}},
	}}}}}
}

// merge is the new container with what was changed by hand in the one that is
// there: its resources, and what we do not write at all.
func merge(now fields, there map[string]any) fields {
	for i, f := range now {
		switch f.key {
		case "resources":
			if v, ok := there[f.key]; ok {
				now[i].value = ordered(v)
			}
		case "env", "volumeMounts":
			now[i].value = union(f.value.([]any), there[f.key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(there)) {
		written := slices.Contains([]string{"lifecycle", "readinessProbe"}, key) // or left out for a reason
		if now.get(key) != nil || written {
			continue
		}
		now = append(now, field{key, ordered(there[key])})
	}
	return now
}

// union is ours, and of what is there the items whose names are not ours.
func union(ours []any, there any) []any {
	all, _ := there.([]any)
	for _, v := range all {
		m, _ := v.(map[string]any)
		if !slices.ContainsFunc(ours, func(o any) bool { return o.(fields).get("name") == m["name"] }) {
			ours = append(ours, ordered(v))
		}
	}
	return ours
}

// ordered makes of a decoded value one with an order: name first, as people
// write it, and the rest by the alphabet.
func ordered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		f := fields{}
		keys := slices.Sorted(maps.Keys(v))
		slices.SortStableFunc(keys, func(a, b string) int { return rank(a) - rank(b) })
		for _, k := range keys {
			f = append(f, field{k, ordered(v[k])})
		}
		return f
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = ordered(v[i])
		}
		return all
	}
	return v
}

func rank(key string) int {
	if key == "name" {
		return 0
	}
	return 1
}

func same(a any, b any) bool { return reflect.DeepEqual(plain(a), b) }

// flags reads arguments as a list of flags; those in two words become one.
func flags(args []any) (all [][2]string) {
	for i := 0; i < len(args); i++ {
		a := fmt.Sprint(args[i])
		name, value, has := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		if !has && i+1 < len(args) && strings.HasPrefix(a, "--") && !strings.HasPrefix(fmt.Sprint(args[i+1]), "-") {
			i++
			value = fmt.Sprint(args[i])
		} else if !has {
			value = "true"
		}
		all = append(all, [2]string{name, value})
	}
	return all
}
