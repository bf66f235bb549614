package doctor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/leader-elector/leader-elector/internal/doctor"
)

// TestEachMissingRightIsNamedByTheRuleThatGrantsIt takes every verb of every
// rule away in turn, adds what the finding says, and sees the finding go.
func TestEachMissingRightIsNamedByTheRuleThatGrantsIt(t *testing.T) {
	t.Parallel()
	for _, route := range []string{"none", "endpointslice", "label", "events"} {
		t.Run(route, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, route)
			full := slices.Clone(s.rules)
			s.until("that all rights are there", func(r *doctor.Report) bool { return !lacks(r) })
			for i, r := range full {
				for _, verb := range r["verbs"].([]string) {
					if route == "label" && r["resources"].([]string)[0] == "services" {
						continue // label routing does not need it
					}
					less := rule(r["apiGroups"].([]string)[0], r["resources"].([]string)[0], "", without(r["verbs"].([]string), verb)...)
					if names := r["resourceNames"]; names != nil {
						less["resourceNames"] = names
					}
					s.rules = slices.Concat(full[:i:i], full[i+1:])
					if len(less["verbs"].([]string)) > 0 {
						s.rules = append(s.rules, less)
					}
					s.grant()
					level := doctor.Fail
					if verb == "watch" && route != "label" || i == 0 && (verb == "list" || verb == "watch") {
						level = doctor.Warn // it polls
					}
					if route == "events" && i == len(full)-1 {
						level = doctor.Warn // the election does not need them
					}
					f := s.finding(level, "may not "+verb+" ", r["resources"].([]string)[0])
					if !strings.Contains(f.Mend, s.ns) {
						t.Errorf("the mend %q does not say in which namespace", f.Mend)
					}
					if names := r["resourceNames"]; names != nil && !strings.Contains(f.Rules[0], "resourceNames: ["+strings.Join(names.([]string), ", ")+"]") {
						t.Errorf("the rule %s is not limited to the names %v", f.Rules[0], names)
					}
					s.add(f.Rules...)
					s.until("that all rights are there", func(r *doctor.Report) bool { return !lacks(r) })
				}
			}
		})
	}
}

func lacks(r *doctor.Report) bool {
	return slices.ContainsFunc(r.Findings, func(f doctor.Finding) bool { return strings.Contains(f.Text, "may not") && len(f.Rules) > 0 })
}

func without(verbs []string, verb string) []string {
	return slices.DeleteFunc(slices.Clone(verbs), func(v string) bool { return v == verb })
}

func TestARightOnEveryLockIsHintedAt(t *testing.T) {
	t.Parallel()
	s := newStage(t, "none")
	s.gone(doctor.Warn, "may update all leases")
	narrow := s.rules
	s.rules = append(slices.Clone(narrow), rule("coordination.k8s.io", "leases", "", "update"))
	s.grant()
	f := s.finding(doctor.Warn, "may update all leases")
	s.rules = slices.Clone(narrow[1:]) // the mend: one rule for this lock, in place of the wide one
	s.add(f.Rules...)
	s.gone(doctor.Warn, "may update all leases")
	s.gone(doctor.Fail, "may not")
}
