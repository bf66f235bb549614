package inject_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/leader-elector/leader-elector/kubectl-leader/inject"
)

// sidecar is the injected container of a workload of an output.
func sidecar(t *testing.T, r *inject.Result, workload string) any {
	t.Helper()
	inits, _ := value(meaning(t, string(r.Output))[workload], "spec", "template", "spec", "initContainers").([]any)
	for _, c := range inits {
		if value(c, "name") == "leader-elector" {
			return c
		}
	}
	t.Fatalf("%s has no sidecar", workload)
	return nil
}

func says(t *testing.T, r *inject.Result, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(strings.Join(r.Notes, "\n"), w) {
			t.Errorf("nothing says %q: %q", w, r.Notes)
		}
	}
}

func TestTheHealthCheckIsWhatTheKubeletAsks(t *testing.T) {
	const probe = "readinessProbe:\n          httpGet: { path: /, port: web }"
	for is, want := range map[string]string{
		probe: "http://127.0.0.1:80/",
		"readinessProbe:\n          httpGet: { path: \"healthz?x=1\", port: 8443, scheme: HTTPS }": "https://127.0.0.1:8443/healthz?x=1",
		"readinessProbe: {tcpSocket: {port: web}}":                                                 "tcp://127.0.0.1:80",
		"readinessProbe: {exec: {command: [x]}}":                                                   "tcp://127.0.0.1:80",
		"livenessProbe: {httpGet: {port: 81, host: 10.0.0.1}}":                                     "http://10.0.0.1:81/",
		"readinessProbe: {httpGet: {path: /leader, port: 4040}}":                                   "tcp://127.0.0.1:80",
		"livenessProbe: {grpc: {port: 80}}":                                                        "tcp://127.0.0.1:80",
	} {
		args := value(sidecar(t, run(t, edited(t, nginx, probe, is), options), "Deployment/nginx"), "args").([]any)
		if args[1] != "--health-check="+want {
			t.Errorf("%s: %v, want %s", is, args, want)
		}
	}
	o := options
	o.NoHealthCheck = true
	if args := value(sidecar(t, run(t, nginx, o), "Deployment/nginx"), "args"); strings.Contains(args.([]any)[1].(string), "health") {
		t.Errorf("--no-health-check: %v", args)
	}
	says(t, run(t, edited(t, nginx, "        "+probe, "", "        - name: web\n          containerPort: 80\n", "", "ports:\n", "env: []\n", "targetPort: web", "targetPort: 80"), options), "no health check")
}

func TestAPodWithoutATokenGivesOneToTheSidecarAlone(t *testing.T) {
	r := run(t, edited(t, nginx, "    spec:\n", "    spec:\n      automountServiceAccountToken: false\n"), options)
	says(t, r, "the sidecar alone gets one")
	mount := value(sidecar(t, r, "Deployment/nginx"), "volumeMounts", 0)
	if value(mount, "mountPath") != "/var/run/secrets/kubernetes.io/serviceaccount" {
		t.Errorf("the sidecar mounts %v", mount)
	}
	pod := value(meaning(t, string(r.Output))["Deployment/nginx"], "spec", "template", "spec")
	if value(pod, "containers", 0, "volumeMounts") != nil || value(pod, "automountServiceAccountToken") != false || value(pod, "volumes", 0, "name") != "leader-elector-token" {
		t.Errorf("the pod is %v", pod)
	}
	account := "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: mine}\nautomountServiceAccountToken: false\n---\n"
	says(t, run(t, account+edited(t, nginx, "    spec:\n", "    spec:\n      serviceAccountName: mine\n"), options), "the sidecar alone gets one")
}

func TestAnAccountOfItsOwnIsKeptAndBound(t *testing.T) {
	r := run(t, edited(t, nginx, "    spec:\n", "    spec:\n      serviceAccountName: mine\n"), options)
	out := meaning(t, string(r.Output))
	if out["ServiceAccount/leader-elector-nginx"] != nil || out["ServiceAccount/mine"] != nil {
		t.Error("an account is made")
	}
	for _, name := range []string{"RoleBinding/leader-elector-nginx", "RoleBinding/leader-elector-nginx-endpointslice"} {
		want := []any{map[string]any{"kind": "ServiceAccount", "name": "mine", "namespace": "radio"}}
		if is := value(out[name], "subjects"); !reflect.DeepEqual(is, want) {
			t.Errorf("%s binds %v", name, is)
		}
	}
}

func TestAHostNetworkPodTellsItsAddresses(t *testing.T) {
	c := sidecar(t, run(t, edited(t, nginx, "    spec:\n", "    spec:\n      hostNetwork: true\n"), options), "Deployment/nginx")
	if args := value(c, "args").([]any); args[len(args)-1] != "--pod-ip=$(POD_IPS)" {
		t.Errorf("the arguments are %v", args)
	}
	if value(c, "env", 1, "valueFrom", "fieldRef", "fieldPath") != "status.podIPs" {
		t.Errorf("the environment is %v", value(c, "env"))
	}
}

func TestAnotherPortIsAskedEverywhere(t *testing.T) {
	o := options
	o.Port = 4141
	c := sidecar(t, run(t, nginx, o), "Deployment/nginx")
	if value(c, "ports", 0, "containerPort") != 4141 || value(c, "readinessProbe", "httpGet", "port") != 4141 || value(c, "env", 1, "value") != ":4141" {
		t.Errorf("the sidecar is %v", c)
	}
}

func TestWhatAHandChangedInTheSidecarStays(t *testing.T) {
	once := edited(t, string(run(t, nginx, options).Output), "cpu: 10m", "cpu: 50m # measured", "        - --service=nginx\n", "        - --service=nginx\n        - --log-format\n        - json # for the collector\n")
	if again := string(run(t, once, options).Output); again != edited(t, once, "        - --log-format\n        - json # for the collector\n", "        - --log-format=json\n") {
		t.Error(differ(once, again))
	}
	o := options
	o.ExtraArgs = []string{"--log-format=text", "--log-level=debug"}
	args := value(sidecar(t, run(t, once, o), "Deployment/nginx"), "args").([]any)
	if !reflect.DeepEqual(args[3:], []any{"--log-format=text", "--log-level=debug"}) {
		t.Errorf("the arguments are %v", args)
	}
}

func TestJSONStaysJSON(t *testing.T) {
	docs := meaning(t, nginx)
	compact, _ := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": []any{docs["Deployment/nginx"], docs["Service/nginx"]}})
	pretty, _ := json.MarshalIndent(docs["Deployment/nginx"], "", "\t")
	service, _ := json.MarshalIndent(docs["Service/nginx"], "", "  ")
	for name, text := range map[string]string{"a List": string(compact), "two values": string(pretty) + "\n" + string(service) + "\n", "side by side": string(pretty) + string(service)} {
		once := string(run(t, text, options).Output)
		dec := json.NewDecoder(strings.NewReader(once))
		n := 0
		for dec.More() {
			var v map[string]any
			if err := dec.Decode(&v); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, once)
			}
			n++
		}
		if n < 6 || !strings.Contains(once, `"--election=nginx"`) || !strings.Contains(once, `"selector": null`) && !strings.Contains(once, `"selector":null`) {
			t.Errorf("%s: %d values in\n%s", name, n, once)
		}
		if again := string(run(t, once, options).Output); again != once {
			t.Errorf("%s: %s", name, differ(once, again))
		}
	}
}

func TestAnAliasOfLabelsIsMergedAndOthersAreRefused(t *testing.T) {
	text := edited(t, nginx, `matchLabels: {app: "nginx"}`, `matchLabels: &l {app: "nginx"}`, "labels:\n        app: 'nginx' # quoted\n", "labels: *l # alike\n")
	out := meaning(t, string(run(t, text, options).Output))["Deployment/nginx"]
	if labels := value(out, "spec", "template", "metadata", "labels"); !reflect.DeepEqual(labels, map[string]any{"app": "nginx", "leader-elector.io/election": "nginx"}) {
		t.Errorf("the labels are %v", labels)
	}
	if labels := value(out, "spec", "selector", "matchLabels"); !reflect.DeepEqual(labels, map[string]any{"app": "nginx"}) {
		t.Errorf("the selector is %v", labels)
	}
	anchored := edited(t, nginx, `matchLabels: {app: "nginx"}`, `matchLabels: {app: "nginx"}`, "labels:\n        app: 'nginx' # quoted\n", "labels: &l\n        app: 'nginx'\n", "metadata:\n  name: nginx\nspec:\n  selector:\n    app: nginx # all of them", "metadata:\n  name: nginx\nspec:\n  selector: {app: nginx}")
	run(t, anchored, options)
	pod := edited(t, nginx, "    spec:\n", "    spec: *pod\n", "metadata:\n  name: nginx   # as ever\n", "metadata:\n  name: nginx\nx: &pod {containers: [{name: nginx, ports: [{name: web, containerPort: 80}]}]}\n")
	pod = pod[:strings.Index(pod, "      # The one")] + pod[strings.Index(pod, "---"):]
	refused(t, pod, options, "in.yaml: line", "is an alias (*pod)", "write it out")
}

func TestAnAnchorThatOthersReferToIsNotChangedWithThem(t *testing.T) {
	text := edited(t, nginx, `    matchLabels: {app: "nginx"}`, "    matchLabels: {app: nginx}", "labels:\n        app: 'nginx' # quoted\n", "labels: &l\n        app: nginx\n",
		"  selector:\n    app: nginx # all of them", "  selector: {app: nginx}")
	// The Deployment's selector cannot refer to what comes later, so another label set does.
	text = edited(t, text, "    spec:\n", "      annotations: *l\n    spec:\n")
	refused(t, text, options, "means something else than it should", "nothing is put out")
}

func TestAServiceInAFileOfItsOwnIsFound(t *testing.T) {
	i := strings.Index(nginx, "---\n")
	r, err := inject.Inject([]inject.Input{{Name: "a.yaml", Data: []byte(strings.TrimSpace(nginx[:i]))}, {Name: "b.yaml", Data: []byte(nginx[i+4:])}}, options)
	if err != nil {
		t.Fatal(err)
	}
	if out := meaning(t, string(r.Output)); out["Deployment/nginx"] == nil || out["Service/nginx"] == nil {
		t.Errorf("the output is\n%s", r.Output)
	}
}

func TestWhatWouldNotFailOverWellIsTold(t *testing.T) {
	says(t, run(t, edited(t, nginx, "replicas: 2", "replicas: 1"), options), "it has 1 replica")
	says(t, run(t, edited(t, nginx, "  replicas: 2\n", ""), options), "it has 1 replica")
	says(t, run(t, edited(t, nginx, "  replicas: 2\n", "  replicas: 2\n  strategy: {type: Recreate}\n"), options), "Recreate")
	says(t, run(t, edited(t, nginx, "  replicas: 2\n", "  replicas: 5\n"), options), "maxUnavailable")
	says(t, run(t, edited(t, nginx, "  replicas: 2\n", "  replicas: 2\n  strategy: {rollingUpdate: {maxUnavailable: 50%}}\n"), options), "maxUnavailable")
	says(t, run(t, edited(t, nginx, "        image: nginx\n", "        image: nginx\n        lifecycle: {preStop: {exec: {command: [x]}}}\n"), options), "keeps its own preStop")
	says(t, run(t, edited(t, nginx, "    spec:\n", "    spec:\n      terminationGracePeriodSeconds: 5\n"), options), "terminationGracePeriodSeconds of 5")
	if notes := strings.Join(run(t, nginx, options).Notes, "\n"); strings.Contains(notes, "maxUnavailable") || strings.Contains(notes, "replica") {
		t.Error(notes)
	}
}
