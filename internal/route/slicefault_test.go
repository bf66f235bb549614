package route_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/netfault"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

// kept fails unless the candidate kept its lead and nothing was written.
func (k *candidate) kept(slices ...string) {
	k.s.t.Helper()
	if _, cedes := k.count(); cedes != 0 {
		k.s.t.Errorf("the lead was ceded")
	}
	for _, path := range []string{ipv4, ipv6} {
		if o, ok := k.s.read(path); ok {
			k.s.t.Errorf("%s was written: %+v", path, o)
		}
	}
}

func TestASelectorIsRefusedAndNothingIsWrittenBesideIt(t *testing.T) {
	t.Parallel()
	s := onStage(t, `{"selector":{"app":"radio"},"ports":[{"port":80}]}`)
	a := s.join("a", "10.1.0.1")
	a.lead(10)
	a.complains("has a selector", "kubectl -n "+s.namespace+` patch service radio --type=json -p '[{"op":"remove","path":"/spec/selector"}]'`)
	a.kept()
	s.do(http.MethodPatch, "services/radio", `{"spec":{"selector":null}}`)
	gone := time.Now()
	s.shows("10.1.0.1", 10)
	if late := time.Since(gone); late > 8*time.Second {
		t.Errorf("the selector's end was seen after %v", late)
	}
	a.content()
	if n := strings.Count(a.log.String(), "level=WARN"); n != 1 {
		t.Errorf("the refusal made %d warnings, want one", n)
	}
}

func TestForeignSlicesAreRefusedAndNothingIsWrittenBesideThem(t *testing.T) {
	t.Parallel()
	s := onStage(t, plainService)
	s.do(http.MethodPost, "endpointslices", `{"metadata":{"name":"radio-x7x7x","labels":{"kubernetes.io/service-name":"radio","endpointslice.kubernetes.io/managed-by":"endpointslice-controller.k8s.io"}},
		"addressType":"IPv4","endpoints":[{"addresses":["10.9.9.9"]}]}`)
	a := s.join("a", "10.1.0.1")
	a.lead(10)
	a.complains("radio-x7x7x", "kubectl -n "+s.namespace+" delete endpointslices radio-x7x7x", "delete endpoints radio")
	a.kept()
	s.do(http.MethodDelete, "endpointslices/radio-x7x7x", "")
	s.shows("10.1.0.1", 10)
	a.content()
}

func TestAForeignSliceWithoutAnEndpointIsNoReasonToRefuse(t *testing.T) {
	t.Parallel()
	s := onStage(t, plainService)
	left := `{"metadata":{"name":"radio-x7x7x","labels":{"kubernetes.io/service-name":"radio","endpointslice.kubernetes.io/managed-by":"endpointslice-controller.k8s.io"}},
		"addressType":"IPv4","endpoints":[{"addresses":["10.9.9.9"],"conditions":{"ready":false}}]}`
	s.do(http.MethodPost, "endpointslices", left)
	a := s.join("a", "10.1.0.1")
	a.lead(10)
	a.complains("radio-x7x7x") // not ready now, and ready the moment after
	a.kept()
	s.do(http.MethodPatch, "endpointslices/radio-x7x7x", `{"endpoints":[]}`)
	s.shows("10.1.0.1", 10)
	a.content()
	if err := s.join("b", "10.1.0.2").Check(t.Context()); err != nil {
		t.Errorf("a standby's check says %v", err)
	}
}

func TestASliceOfOurNameMadeByHandIsTakenOverInOneWrite(t *testing.T) {
	t.Parallel()
	s := onStage(t, plainService)
	s.write("10.1.0.2", "", "")
	before, _ := s.read(ipv4)
	a := s.join("a", "10.1.0.1")
	history := s.history()
	a.lead(10)
	after := a.wrote("10.1.0.1", 10)
	if before.Metadata.UID != after.Metadata.UID || len(after.Metadata.OwnerReferences) != 1 {
		t.Errorf("it was made anew, or is not owned: %+v", after.Metadata)
	}
	eventually(t, "the watch showing it", func() bool { return len(history()) == 2 })
	if confirms, _ := a.count(); confirms != 1 {
		t.Errorf("it took %d confirmations, want one", confirms)
	}
}

func TestASliceThatBelongsToAnotherServiceIsNotWrittenOver(t *testing.T) {
	t.Parallel()
	s := onStage(t, plainService)
	s.do(http.MethodPost, "endpointslices", `{"metadata":{"name":"radio-leader-ipv4","labels":{"kubernetes.io/service-name":"tv"}},"addressType":"IPv4","endpoints":[]}`)
	a := s.join("a", "10.1.0.1")
	a.lead(10)
	a.complains("belongs to the Service tv", "delete endpointslice radio-leader-ipv4")
	if o, _ := s.read(ipv4); o.addresses() != "" {
		t.Error("it was written over")
	}
}

func TestPortsThatCannotBeResolvedAreRefused(t *testing.T) {
	t.Parallel()
	s := onStage(t, `{"ports":[{"name":"http","port":80,"targetPort":"web"}]}`)
	a := s.join("a", "10.1.0.1")
	a.lead(10)
	a.complains(`port "http"`, `targetPort "web"`, "write its number")
	a.kept()
}

func TestAnExternalNameIsRefused(t *testing.T) {
	t.Parallel()
	s := onStage(t, `{"type":"ExternalName","externalName":"example.com"}`)
	a := s.join("a", "10.1.0.1")
	a.lead(10)
	a.complains("is an ExternalName")
	a.kept()
}

func TestAMissingServiceIsReportedAndTheLeadIsKept(t *testing.T) {
	t.Parallel()
	s := onStage(t, "")
	a := s.join("a", "10.1.0.1")
	a.lead(10)
	a.complains("there is no Service " + s.namespace + "/radio")
	a.kept()
	s.do(http.MethodPost, "services", `{"metadata":{"name":"radio"},"spec":`+plainService+`}`)
	s.shows("10.1.0.1", 10)
	a.content()
}

func TestAMissingRightIsReportedWithItsRuleAndTheLeadIsKept(t *testing.T) {
	t.Parallel()
	named := "resourceNames: [radio-leader-ipv4], "
	for verb, want := range map[string]string{
		"get":    "{apiGroups: [discovery.k8s.io], resources: [endpointslices], " + named + "verbs: [get]}",
		"list":   "{apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list]}",
		"create": "{apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [create]}",
		"update": "{apiGroups: [discovery.k8s.io], resources: [endpointslices], " + named + "verbs: [update]}",
		"watch":  "{apiGroups: [discovery.k8s.io], resources: [endpointslices], " + named + "verbs: [watch]}",
	} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			s := onStage(t, plainService)
			if verb != "create" {
				s.write("10.1.0.9", "5", "x")
			}
			standby := s.join("b", "10.1.0.2", verb)
			if err := standby.Check(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("a standby's check says %v; want %s", err, want)
			}
			a := s.join("a", "10.1.0.1", verb)
			a.lead(10)
			if verb == "watch" {
				s.shows("10.1.0.1", 10) // it is only slower to see an edit
			}
			a.complains(want)
			if _, cedes := a.count(); cedes != 0 {
				t.Error("the lead was ceded")
			}
			s.join("a", "10.1.0.1") // gives the account the whole Role
			s.shows("10.1.0.1", 10)
		})
	}
}

func TestAStandbysCheckFindsWhatALeaderWouldAndWritesNothing(t *testing.T) {
	t.Parallel()
	s := onStage(t, plainService)
	a := s.join("a", "10.1.0.1")
	if err := a.Check(t.Context()); err != nil {
		t.Errorf("all is well, and the check says %v", err)
	}
	a.kept()
	s.do(http.MethodPatch, "services/radio", `{"spec":{"selector":{"app":"radio"}}}`)
	if err := a.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "has a selector") {
		t.Errorf("of a selector the check says %v", err)
	}
}

func TestALeaderThatAloneCannotWriteCedesOnceInATerm(t *testing.T) {
	t.Parallel()
	s := onStage(t, plainService)
	forward := netfault.Forward(t, strings.TrimPrefix(s.p.Server, "https://"))
	a := s.joinBy(testplane.Candidate{Pod: "a", Server: "https://" + forward.Addr()}, "10.1.0.1")
	forward.Shut()
	began := time.Now()
	a.lead(10)
	eventually(t, "the lead being ceded", func() bool { _, cedes := a.count(); return cedes == 1 })
	if took := time.Since(began); took < 2*time.Second || took > 15*time.Second {
		t.Errorf("it was ceded after %v, want some 2 s", took)
	}
	tried := forward.Accepted()
	eventually(t, "more tries", func() bool { return forward.Accepted() >= tried+6 })
	if confirms, cedes := a.count(); cedes != 1 || confirms != 1 {
		t.Errorf("the lead was ceded %d times, on %d confirmations", cedes, confirms)
	}
	a.stop()
	a.lead(11) // a trouble that all candidates have must not drive the lead around
	tried = forward.Accepted()
	eventually(t, "more tries", func() bool { return forward.Accepted() >= tried+12 && time.Since(began) > 8*time.Second })
	if _, cedes := a.count(); cedes != 1 {
		t.Error("the lead was ceded again within a minute")
	}
	if n := strings.Count(a.log.String(), "level=WARN"); n != 4 {
		t.Errorf("an outage makes %d warnings, want that it began, that the lead is offered, that nobody took it, and the next term's", n)
	}
	forward.Open()
	s.shows("10.1.0.1", 11)
	a.content()
}

func TestALeaderWhoseLockCannotBeWrittenEitherDoesNotCede(t *testing.T) {
	t.Parallel()
	s := onStage(t, plainService)
	forward := netfault.Forward(t, strings.TrimPrefix(s.p.Server, "https://"))
	a := s.joinBy(testplane.Candidate{Pod: "a", Server: "https://" + forward.Addr()}, "10.1.0.1")
	a.confirm = func() error { return fmt.Errorf("no renewal is confirmed") }
	forward.Shut()
	a.lead(10)
	eventually(t, "two confirmations asked for", func() bool { confirms, _ := a.count(); return confirms >= 2 })
	if _, cedes := a.count(); cedes != 0 {
		t.Error("the lead was ceded")
	}
}

// It looks at the Service every half minute; that failing, its address is still
// where it must be.
func TestALeaderWhoseSliceIsRightDoesNotCede(t *testing.T) {
	t.Parallel()
	s := onStage(t, plainService)
	forward := netfault.Forward(t, strings.TrimPrefix(s.p.Server, "https://"))
	a := s.joinBy(testplane.Candidate{Pod: "a", Server: "https://" + forward.Addr()}, "10.1.0.1")
	a.lead(10)
	a.wrote("10.1.0.1", 10)
	forward.Shut()
	eventually(t, "tries that have failed for longer than it takes to cede", func() bool {
		at := a.Routing().LastErrorAt
		return at != nil && time.Since(*at) > 4*time.Second
	})
	if _, cedes := a.count(); cedes != 0 {
		t.Error("the lead was ceded")
	}
	forward.Open()
	s.do(http.MethodPatch, ipv4, `{"endpoints":[]}`)
	s.shows("10.1.0.1", 10)
}

// A single-stack API server takes a headless Service of any families.
func headless(families, policy string) string {
	return fmt.Sprintf(`{"clusterIP":"None","ipFamilies":[%s],"ipFamilyPolicy":%q,"ports":[{"port":80}]}`, families, policy)
}

func TestDualStackHasASliceForEachFamily(t *testing.T) {
	t.Parallel()
	s := onStage(t, headless(`"IPv4","IPv6"`, "RequireDualStack"))
	a := s.join("a", "10.1.0.1,fd00::1")
	a.lead(10)
	s.shows("10.1.0.1", 10)
	eventually(t, "the IPv6 slice", func() bool {
		o, _ := s.read(ipv6)
		return o.addresses() == "fd00::1" && o.term() == "10" && o.AddressType == "IPv6" && len(o.Endpoints) == 1
	})
	a.content()
	s.do(http.MethodPatch, ipv6, `{"endpoints":[]}`)
	eventually(t, "the IPv6 slice repaired", func() bool { o, _ := s.read(ipv6); return o.addresses() == "fd00::1" })

	// A successor without an IPv6 address takes its predecessor's away.
	a.stop()
	b := s.join("b", "10.1.0.2")
	b.lead(11)
	s.shows("10.1.0.2", 11)
	eventually(t, "the predecessor's IPv6 address being taken away", func() bool { o, _ := s.read(ipv6); return o.addresses() == "" })
	b.content()
}

func TestAnIPv6OnlyServiceHasOnlyThatSlice(t *testing.T) {
	t.Parallel()
	s := onStage(t, headless(`"IPv6"`, "SingleStack"))
	a := s.join("a", "10.1.0.1,fd00::1")
	a.lead(10)
	eventually(t, "the IPv6 slice", func() bool { o, _ := s.read(ipv6); return o.addresses() == "fd00::1" })
	if _, ok := s.read(ipv4); ok {
		t.Error("there is a slice for IPv4 too")
	}
	b := s.join("b", "10.1.0.2")
	if err := b.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "wants IPv6, and the pod has no such address") {
		t.Errorf("without an IPv6 address the check says %v", err)
	}
}

func TestAFamilyThatTheServiceNoLongerHasIsEmptied(t *testing.T) {
	t.Parallel()
	s := onStage(t, headless(`"IPv4","IPv6"`, "RequireDualStack"))
	a := s.join("a", "10.1.0.1,fd00::1")
	a.lead(10)
	eventually(t, "both slices", func() bool {
		x, _ := s.read(ipv4)
		y, _ := s.read(ipv6)
		return x.addresses() != "" && y.addresses() != ""
	})
	a.stop()
	s.do(http.MethodDelete, "services/radio", "")
	s.do(http.MethodPost, "services", `{"metadata":{"name":"radio"},"spec":`+plainService+`}`)
	a.lead(12)
	s.shows("10.1.0.1", 12)
	eventually(t, "the IPv6 slice emptied", func() bool { o, ok := s.read(ipv6); return ok && o.addresses() == "" })
}
