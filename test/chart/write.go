package chart

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The charts' folders.
const (
	Application = repository + "/deploy/chart/leader-elector"
	Library     = Application + "/charts/leader-elector-sidecar"
)

// between replaces what stands between two lines.
func between(text, begin, end, content string) (string, error) {
	i := strings.Index(text, begin+"\n")
	j := strings.Index(text, end)
	if i < 0 || j < i {
		return "", fmt.Errorf("there is no %q before %q", begin, end)
	}
	return text[:i+len(begin)+1] + content + text[j:], nil
}

// written are the files that follow from others: path to content.
func written() (map[string]string, error) {
	all, err := flags()
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for path, make := range map[string]func() (string, error){
		Library + "/values.yaml":          func() (string, error) { return libraryValues(all) },
		Library + "/values.schema.json":   func() (string, error) { return librarySchema(all) },
		Library + "/templates/_flags.tpl": func() (string, error) { return flagTemplates(all), nil },
		Library + "/templates/_rules.tpl": ruleTemplates,
		Library + "/README.md":            func() (string, error) { return readme(Library, all) },
		Application + "/README.md":        func() (string, error) { return readme(Application, nil) },
	} {
		if files[path], err = make(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	// The alerts of deploy/monitoring, where there are any.
	if alerts, err := os.ReadFile(repository + "/deploy/monitoring/rules.yaml"); err == nil {
		_, groups, _ := strings.Cut("\n"+string(alerts), "\ngroups:\n")
		files[Application+"/files/alerts.yaml"] = "# Written by `go test . -update` in test/chart, from deploy/monitoring/rules.yaml.\ngroups:\n" + groups
	}
	return files, nil
}

func libraryValues(all []option) (string, error) {
	text, err := os.ReadFile(Library + "/values.yaml")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, f := range all {
		data, err := json.Marshal(f.fallback())
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "# -- %s\n%s: %s\n", strings.ReplaceAll(f.meaning, `\|`, "|"), f.value(), data)
	}
	return between(string(text), "# BEGIN flags", "# END flags", b.String())
}

// librarySchema keeps what the schema says of the other values.
func librarySchema(all []option) (string, error) {
	data, err := os.ReadFile(Library + "/values.schema.json")
	if err != nil {
		return "", err
	}
	var schema map[string]any
	if err := json.Unmarshal(data, &schema); err != nil {
		return "", err
	}
	properties := schema["properties"].(map[string]any)
	for name, property := range properties {
		if p, _ := property.(map[string]any); p["$comment"] == "flag" && !slices.ContainsFunc(all, func(f option) bool { return f.value() == name }) {
			delete(properties, name)
		}
	}
	for _, f := range all {
		property := f.schema()
		property["$comment"] = "flag"
		properties[f.value()] = property
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(schema)
	return b.String(), err
}

func flagTemplates(all []option) string {
	var names, on []string
	for _, f := range all {
		names = append(names, f.value())
		if f.on() {
			on = append(on, f.value())
		}
	}
	return fmt.Sprintf(`{{/* Written by "go test . -update" in test/chart, from the program's flags. */}}
{{- define "leader-elector.flags" -}}
%s
{{- end -}}

{{/* The switches that are on unless they are told otherwise. */}}
{{- define "leader-elector.flagsOn" -}}
%s
{{- end -}}
`, strings.Join(names, " "), strings.Join(on, " "))
}

// rules are the shipped Roles, by the name of the template that has their rules.
var rules = []struct{ template, path string }{
	{"leases", "base/role.yaml"},
	{"endpoints", "base/role-endpoints.yaml"},
	{"endpoints-leases", "base/role-endpoints-leases.yaml"},
	{"endpointslice", "components/endpointslice/role.yaml"},
	{"label", "components/label/role.yaml"},
	{"events", "components/events/role.yaml"},
}

// ruleTemplates are the rules of the shipped Roles with their example's name
// replaced by the argument, so that there is one place where rights are written.
func ruleTemplates() (string, error) {
	var b strings.Builder
	b.WriteString("{{/* Written by \"go test . -update\" in test/chart, from the Roles of deploy/base and deploy/components. */}}\n")
	for _, r := range rules {
		data, err := os.ReadFile(filepath.Join(repository, "deploy", r.path))
		if errors.Is(err, fs.ErrNotExist) {
			continue // a template that needs its rules fails then
		}
		if err != nil {
			return "", err
		}
		_, list, found := strings.Cut(string(data), "\nrules:\n")
		if !found {
			return "", fmt.Errorf("%s has no rules", r.path)
		}
		fmt.Fprintf(&b, "{{- define \"leader-elector.rules.%s\" -}}\n", r.template)
		for line := range strings.Lines(list) {
			b.WriteString(strings.ReplaceAll(strings.TrimPrefix(line, "  "), "example", "{{ . }}"))
		}
		b.WriteString("{{- end -}}\n")
	}
	return b.String(), nil
}
