package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/health"
	"github.com/leader-elector/leader-elector/internal/notify"
	"github.com/leader-elector/leader-elector/internal/route"
	"github.com/leader-elector/leader-elector/internal/status"
)

// shown are the tables of docs/reference-http.md by their headings, and what
// each is the table of.
var shown = map[string]any{
	"status":                              status.View{},
	"health":                              status.Health{Checks: []any{}},
	"health.checks":                       health.Check{},
	"routing, with --route=endpointslice": route.SliceRouting{Slices: []route.SliceView{}},
	"routing.slices":                      route.SliceView{Addresses: []string{}},
	"routing, with --route=label":         route.LabelRouting{Pods: []route.RoleView{}},
	"routing.pods":                        route.RoleView{},
	"notify":                              notify.Posting{},
	"locks":                               status.Lock{},
	"step-down":                           status.HandedOver{},
}

// TestTheReferenceHasEveryField holds each table against the fields of its
// struct: their names in JSON, their order, their types and their zero values.
func TestTheReferenceHasEveryField(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference-http.md"))
	if err != nil {
		t.Fatal(err)
	}
	tables := fieldTables(string(data))
	for heading, rows := range tables {
		if _, ok := shown[heading]; !ok && len(rows) > 0 {
			t.Errorf("the table of %q is of nothing that is known here", heading)
		}
	}
	for heading, of := range shown {
		want := fieldsOf(t, of)
		rows := tables[heading]
		if len(rows) != len(want) {
			t.Errorf("the table of %q has %d fields, want %d", heading, len(rows), len(want))
			continue
		}
		for i, w := range want {
			name, kind, zero := rows[i][0], rows[i][1], rows[i][2]
			bare, unit, _ := strings.Cut(kind, ", ")
			if name != w.name || bare != w.kind || zero != w.zero && zero != "-" {
				t.Errorf("%s: the table says %s, %s, %s; it is %s, %s, %s", heading, name, bare, zero, w.name, w.kind, w.zero)
			}
			if (bare == "number") != (unit != "") {
				t.Errorf("%s: %s is a number without a unit, or a unit without a number", heading, name)
			}
		}
	}
}

// fieldTables are the rows of the tables of fields, by the heading above.
func fieldTables(text string) map[string][][3]string {
	tables, heading, in := map[string][][3]string{}, "", false
	row := regexp.MustCompile("^\\| `([^`]+)` \\| ([^|]+) \\| `?([^|`]+)`? \\| .+ \\|$")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#"):
			heading, in = strings.TrimLeft(line, "# "), false
		case line == "| field | type | zero | meaning |":
			in = true
		case in:
			if m := row.FindStringSubmatch(line); m != nil {
				tables[heading] = append(tables[heading], [3]string{m[1], m[2], m[3]})
			}
		}
	}
	return tables
}

type field struct{ name, kind, zero string }

// fieldsOf says of each field of a struct what a reader of its JSON finds.
func fieldsOf(t *testing.T, of any) (all []field) {
	t.Helper()
	data, err := json.Marshal(of)
	var values map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(data, &values)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range reflect.VisibleFields(reflect.TypeOf(of)) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		zero := string(values[name])
		if values[name] == nil {
			zero = "absent"
		}
		kind := kindOf(f.Type)
		if kind == "object or null" && zero == "absent" {
			kind = "object"
		}
		if f.Type.Kind() == reflect.Struct {
			zero = "-"
		}
		all = append(all, field{name, kind, zero})
	}
	return all
}

func kindOf(of reflect.Type) string {
	switch {
	case of == reflect.TypeFor[time.Time]():
		return "time"
	case of == reflect.TypeFor[[]string]():
		return "list of strings"
	}
	switch of.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Pointer:
		return kindOf(of.Elem()) + " or null"
	case reflect.Interface:
		return "object or null"
	case reflect.Slice:
		return "list"
	case reflect.Struct:
		return "object"
	}
	return "number"
}
