package inject_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/leader-elector/leader-elector/kubectl-leader/inject"
)

func draw(t *rapid.T, text string, o inject.Options) string {
	r, err := inject.Inject([]inject.Input{{Name: "in.yaml", Data: []byte(text)}}, o)
	if err != nil {
		t.Fatalf("%v\nof:\n%s", err, text)
	}
	return string(r.Output)
}

func routed(t *rapid.T) inject.Options {
	o := options
	o.Route = rapid.SampledFrom([]string{inject.EndpointSlice, inject.Label, inject.None}).Draw(t, "route")
	return o
}

func TestInjectingAgainChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := routed(t)
		once := draw(t, manifest(t, false), o)
		if twice := draw(t, once, o); twice != once {
			t.Fatalf("%s", differ(once, twice))
		}
	})
}

func TestAnotherImageChangesOneLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := routed(t)
		once := draw(t, manifest(t, true), o)
		next := options
		next.Image = "leader-elector:next"
		want := strings.Replace(once, "image: leader-elector:dev", "image: leader-elector:next", 1)
		if twice := draw(t, once, next); twice != want {
			t.Fatalf("%s", differ(want, twice))
		}
	})
}

// TestWithoutTheInjectedLinesTheInputIsThere goes through both: each line of the
// input comes in the output in its order, as it was, except that a selector is a
// comment, that a port's name is a number, and that an empty value is filled.
func TestWithoutTheInjectedLinesTheInputIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := manifest(t, true)
		out := draw(t, text, routed(t))
		rest := strings.SplitAfter(out, "\n")
		trim := func(s string) string { return strings.TrimRight(s, "\r\n") }
		for line := range strings.Lines(text) {
			i := slices.IndexFunc(rest, func(s string) bool {
				bare := strings.Replace(s, "# ", "", 1)
				return trim(s) == trim(line) || trim(bare) == trim(line) ||
					strings.Contains(line, "targetPort") && trim(strings.Replace(s, "8080", targetOf(line), 1)) == trim(line) ||
					strings.Contains(line, "[]") && trim(s) == trim(strings.Replace(line, " []", "", 1)) ||
					strings.Contains(line, "{}") && trim(s) == trim(strings.Replace(line, " {}", "", 1))
			})
			if i < 0 {
				t.Fatalf("the line %q is not there, or not in its place, in the rest:\n%q\nof:\n%s", line, rest[:min(len(rest), 30)], text)
			}
			rest = rest[i+1:]
		}
		if strings.Contains(text, "\r\n") && strings.Count(out, "\n") != strings.Count(out, "\r\n") {
			t.Fatalf("lines end in two ways: %q", out)
		}
	})
}

// differ shows both from the first line on in which they differ.
func differ(want, is string) string {
	a, b := strings.Split(want, "\n"), strings.Split(is, "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(0, i-5)
	return "want:\n" + strings.Join(a[from:min(len(a), i+20)], "\n") + "\n\nis:\n" + strings.Join(b[from:min(len(b), i+20)], "\n")
}

// targetOf is how a line writes its targetPort.
func targetOf(line string) string {
	_, value, _ := strings.Cut(line, ": ")
	if i := strings.Index(value, "  #"); i >= 0 {
		value = value[:i]
	}
	return strings.TrimRight(value, " \r\n")
}

func TestTheOutputMeansTheInputAndWhatIsInjected(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := manifest(t, false)
		o := routed(t)
		o.Route = inject.EndpointSlice
		before, after := meaning(t, text), meaning(t, draw(t, text, o))
		for key, was := range before {
			want := was
			switch {
			case strings.HasPrefix(key, "Service/"):
				want = with(with(was, nil, "spec", "selector"), 8080, "spec", "ports", 0, "targetPort")
			case strings.HasPrefix(key, "Deployment/"), strings.HasPrefix(key, "StatefulSet/"):
				want = injected(was, after[key])
			}
			if !reflect.DeepEqual(after[key], want) {
				t.Fatalf("%s is\n%v\nand should be\n%v\nof:\n%s", key, after[key], want, text)
			}
			delete(after, key)
		}
		for key := range after {
			if !strings.Contains(key, "/leader-elector-app") {
				t.Fatalf("%s is put out too", key)
			}
		}
	})
}

// injected is a workload with what the law says is added, and nothing else.
// The sidecar itself is taken as it is; another test looks at it.
func injected(was, is any) any {
	now := with(was, "app", "spec", "template", "metadata", "labels", "leader-elector.io/election")
	pod := []any{"spec", "template", "spec"}
	get := func(v any, path ...any) any { return value(v, path...) }
	if get(was, append(pod, "serviceAccountName")...) == nil {
		now = with(now, "leader-elector-app", append(pod, "serviceAccountName")...)
	}
	inits, _ := get(was, append(pod, "initContainers")...).([]any)
	all, _ := get(is, append(pod, "initContainers")...).([]any)
	if len(all) > 0 {
		now = with(now, append(slices.Clone(inits), all[len(all)-1]), append(pod, "initContainers")...)
	}
	if get(was, append(pod, "automountServiceAccountToken")...) == false {
		volumes, _ := get(was, append(pod, "volumes")...).([]any)
		added, _ := get(is, append(pod, "volumes")...).([]any)
		if len(added) > 0 {
			now = with(now, append(slices.Clone(volumes), added[len(added)-1]), append(pod, "volumes")...)
		}
	}
	containers, _ := get(was, append(pod, "containers")...).([]any)
	for i := range containers {
		hook := append(slices.Clone(pod), "containers", i, "lifecycle", "preStop")
		if get(was, hook...) == nil {
			now = with(now, map[string]any{"sleep": map[string]any{"seconds": 1}}, hook...)
		}
	}
	if get(was, "spec", "minReadySeconds") == nil {
		now = with(now, 15, "spec", "minReadySeconds")
	}
	return now
}

func value(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			all, _ := v.([]any)
			if step >= len(all) {
				return nil
			}
			v = all[step]
		}
	}
	return v
}

// with is a copy of v with another value at a path.
func with(v, to any, path ...any) any {
	if len(path) == 0 {
		return to
	}
	switch step := path[0].(type) {
	case string:
		m, _ := v.(map[string]any)
		if m = maps.Clone(m); m == nil {
			m = map[string]any{}
		}
		m[step] = with(m[step], to, path[1:]...)
		return m
	case int:
		all, _ := v.([]any)
		all = slices.Clone(all)
		all[step] = with(all[step], to, path[1:]...)
		return all
	}
	return v
}

// meaning is every object of a text, by kind and name.
func meaning(t rapid.TB, text string) map[string]any {
	all := map[string]any{}
	dec := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	for {
		var doc map[string]any
		switch err := dec.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("%v\n%s", err, text)
		}
		docs := []any{doc}
		if items, ok := doc["items"].([]any); ok {
			docs = items
		}
		for _, d := range docs {
			if kind, _ := value(d, "kind").(string); kind != "" {
				name, _ := value(d, "metadata", "name").(string)
				all[kind+"/"+name] = d
			}
		}
	}
}
