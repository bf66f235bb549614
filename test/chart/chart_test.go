package chart

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
)

// music is the application chart with these values.
func music(values string) Release {
	return Release{Chart: Application, Name: "music", Namespace: "music", Values: values}
}

func objects(t *testing.T, r Release) []Object {
	t.Helper()
	all, err := r.Objects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// sets are the sets of values of testdata, by name.
func sets(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/*/values.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("found %v: %v", files, err)
	}
	all := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(filepath.Dir(file))] = string(data)
	}
	return all
}

func TestEachSetOfValuesRendersAsItDid(t *testing.T) {
	for name, values := range sets(t) {
		made, err := yaml.Marshal(objects(t, music(values)))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name, "objects.yaml")
		if *update {
			if err := os.WriteFile(path, made, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if is, err := os.ReadFile(path); err != nil || string(is) != string(made) {
			t.Errorf("%s is not what the chart makes now (%v); look at it with `go test . -update` and git diff", path, err)
		}
	}
}

func TestTheChartsAreCleanForHelmsLinter(t *testing.T) {
	for dir, values := range map[string]map[string]any{Application: nil, Library: nil} {
		found := lint.RunAll(dir, values, "music")
		for _, m := range found.Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %v", dir, m)
			}
		}
	}
}

// pod is the spec of the workload's pods.
func pod(t *testing.T, all []Object) map[string]any {
	t.Helper()
	for _, o := range all {
		if o.Kind() == "Deployment" || o.Kind() == "StatefulSet" {
			return at(map[string]any(o), "spec", "template", "spec").(map[string]any)
		}
	}
	t.Fatal("there is no workload")
	return nil
}

// arguments are a container's, its LEADER_ELECTOR_ variables written as flags.
func arguments(container any) (args []string) {
	for _, field := range []string{"command", "args"} {
		list, _ := at(container, field).([]any)
		for _, a := range list {
			args = append(args, fmt.Sprint(a))
		}
	}
	env, _ := at(container, "env").([]any)
	for _, e := range env {
		name, ours := strings.CutPrefix(fmt.Sprint(at(e, "name")), "LEADER_ELECTOR_")
		if ours {
			args = append(args, fmt.Sprintf("--%s=%v", strings.ReplaceAll(strings.ToLower(name), "_", "-"), at(e, "value")))
		}
	}
	slices.Sort(args)
	return args
}

// example is a value of a flag that is not its default, and how a shell's line
// has it.
func example(f option) (yaml, written string) {
	name := "--" + f.name
	switch {
	case f.metavar == "" && f.on():
		return "false", name + "=false"
	case f.metavar == "":
		return "true", name
	case f.repeatable():
		return "[a, b]", name + "=a " + name + "=b"
	case len(f.choices) > 0:
		last := f.choices[len(f.choices)-1]
		if f.name == "route" {
			last = "endpointslice"
		}
		return last, name + "=" + last
	case f.metavar == "NUMBER":
		return "7", name + "=7"
	case f.metavar == "DURATION":
		return "1m30s", name + "=1m30s"
	case f.name == "http":
		return `":1234"`, name + "=:1234"
	}
	return "/some/text", name + "=/some/text"
}

// TestEveryFlagIsAValue: a new flag of the program that the chart cannot set
// fails here, in the values and in what is rendered from them.
func TestEveryFlagIsAValue(t *testing.T) {
	all, err := flags()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		value, written := example(f)
		mode := "sidecar"
		if f.name == "stop-grace" || f.name == "on-exit" {
			mode = "run"
		}
		made, err := music(fmt.Sprintf("mode: %s\napp: {command: [/app]}\nsidecar: {%s: %s}", mode, f.value(), value)).Objects(t.Context())
		if err != nil {
			t.Errorf("--%s: %v", f.name, err)
			continue
		}
		container := at(pod(t, made), "initContainers", 0)
		if mode == "run" {
			container = at(pod(t, made), "containers", 0)
		}
		args := arguments(container)
		for _, want := range strings.Fields(written) {
			if !slices.Contains(args, want) {
				t.Errorf("sidecar.%s=%s gives %q, want %s among them", f.value(), value, args, want)
			}
		}
	}
}

// TestWrongValuesAreRefused: by the schema, or by the chart with the mend.
func TestWrongValuesAreRefused(t *testing.T) {
	for values, want := range map[string]string{
		"replicas: 3":                                               "additional properties 'replicas' not allowed",
		"app: {port: 80}":                                           "additional properties 'port' not allowed",
		"sidecar: {helthCheck: []}":                                 "additional properties 'helthCheck' not allowed",
		"networkPolicy: {from: []}":                                 "additional properties 'from' not allowed",
		"sidecar: {ttl: 10}":                                        "/ttl",
		"sidecar: {ttl: tenseconds}":                                "/ttl",
		"sidecar: {lock: configmaps}":                               "/lock",
		"sidecar: {image: {digest: latest}}":                        "/image/digest",
		"sidecar: {healthCheck: http://x}":                          "/healthCheck",
		"kind: DaemonSet":                                           "/kind",
		"service: {spec: {selector: {a: b}}}":                       "/service/spec",
		"app: {ports: [{name: a, containerPort: http}]}":            "/containerPort",
		"mode: run":                                                 "set app.command",
		"sidecar: {onExit: exit}":                                   "set mode: run",
		"readyWhileLeading: true":                                   "set sidecar.route=none",
		"readyWhileLeading: true\nsidecar: {route: none, http: ''}": "set sidecar.http",
		"service: {enabled: false}":                                 "set service.enabled",
		"app: {ports: []}":                                          "set app.ports",
	} {
		if _, err := music(values).Objects(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v, want %q in it", values, err, want)
		}
	}
}

// TestEveryValueIsInTheSchema, and nothing else is.
func TestEveryValueIsInTheSchema(t *testing.T) {
	for _, dir := range []string{Application, Library} {
		var values, schema map[string]any
		for file, into := range map[string]any{"/values.yaml": &values, "/values.schema.json": &schema} {
			data, err := os.ReadFile(dir + file)
			if err != nil {
				t.Fatal(err)
			}
			if err := yaml.Unmarshal(data, into); err != nil {
				t.Fatal(err)
			}
		}
		delete(values, "sidecar") // the library's own schema
		delete(at(schema, "properties").(map[string]any), "sidecar")
		delete(at(schema, "properties").(map[string]any), "global") // Helm's own
		sameKeys(t, dir, values, schema, schema)
	}
}

// sameKeys compares the keys of values with the properties of a schema, as deep
// as the schema names them.
func sameKeys(t *testing.T, path string, values, schema, root map[string]any) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema = at(root, "definitions", strings.TrimPrefix(ref, "#/definitions/")).(map[string]any)
	}
	properties, _ := schema["properties"].(map[string]any)
	if properties == nil {
		return
	}
	if schema["additionalProperties"] != false {
		t.Errorf("%s takes misspelt values: additionalProperties is not false", path)
	}
	for name, v := range values {
		p, there := properties[name].(map[string]any)
		if !there {
			t.Errorf("the value %s.%s is not in the schema", path, name)
		} else if below, ok := v.(map[string]any); ok {
			sameKeys(t, path+"."+name, below, p, root)
		}
	}
	for name := range properties {
		if _, there := values[name]; !there {
			t.Errorf("the schema has %s.%s, and values.yaml does not", path, name)
		}
	}
}

// TestTheDefaultIsTheShippedManifest: one product in two packages.
func TestTheDefaultIsTheShippedManifest(t *testing.T) {
	data, err := os.ReadFile(repository + "/deploy/endpointslice/manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var shipped []Object
	for _, part := range strings.Split(string(data), "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(part), &o); err != nil {
			t.Fatal(err)
		}
		shipped = append(shipped, o)
	}
	made := objects(t, music(""))
	same := func(kind, ours, theirs string, path ...any) {
		t.Helper()
		a, b := at(map[string]any(find(made, kind, ours)), path...), at(map[string]any(find(shipped, kind, theirs)), path...)
		if !reflect.DeepEqual(a, b) || b == nil && path[len(path)-1] != "selector" {
			t.Errorf("%v of the %s %s:\nchart:    %v\nmanifest: %v", path, kind, ours, a, b)
		}
	}
	same("Role", "music-leader-elector", "leader-elector", "rules")
	same("Role", "music-leader-elector-endpointslice", "leader-elector-endpointslice", "rules")
	same("Service", "music", "music", "spec", "ports")
	same("Service", "music", "music", "spec", "selector")
	same("PodDisruptionBudget", "music", "music", "spec", "minAvailable")
	same("PodDisruptionBudget", "music", "music", "spec", "unhealthyPodEvictionPolicy")
	same("Deployment", "music", "music", "spec", "replicas")
	same("Deployment", "music", "music", "spec", "strategy")
	same("Deployment", "music", "music", "spec", "template", "spec", "securityContext")
	same("Deployment", "music", "music", "spec", "template", "spec", "volumes")
	ours, theirs := pod(t, made), pod(t, shipped)
	for _, container := range []string{"initContainers", "containers"} {
		a, b := at(ours, container, 0).(map[string]any), at(theirs, container, 0).(map[string]any)
		if x, y := arguments(a), arguments(b); !slices.Equal(x, y) {
			t.Errorf("the arguments of %v: %q, in the manifest %q", a["name"], x, y)
		}
		for _, o := range []map[string]any{a, b} {
			delete(o, "args")
			delete(o, "env")
			for _, probe := range []string{"readinessProbe", "livenessProbe"} {
				if port, ok := at(o, probe, "httpGet", "port").(string); ok {
					at(o, probe, "httpGet").(map[string]any)["port"] = map[string]int{"http": 8080, "election": 4040}[port]
				}
			}
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("the container %v differs:\nchart:    %v\nmanifest: %v", a["name"], a, b)
		}
	}
}
