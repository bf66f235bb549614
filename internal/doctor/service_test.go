package doctor_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/doctor"
)

func TestASelectorAndWhatItLeavesBehindAreRemovedByTheMend(t *testing.T) {
	t.Parallel()
	s := newStage(t, "endpointslice")
	s.service(object{"selector": object{"app": "radio"}})
	s.do(http.MethodPost, "/api/v1/namespaces/%/endpoints", object{"metadata": object{"name": "radio"}})
	s.slice("radio-x7k2p", "endpointslice-controller.k8s.io", nil, "10.1.2.9")
	s.finding(doctor.Fail, "radio-x7k2p", "share of the traffic")
	s.obey(s.finding(doctor.Fail, "has a selector"))
	s.gone(doctor.Fail, "has a selector")
	s.gone(doctor.Fail, "share of the traffic")
	s.finding(doctor.OK, "fits --route=endpointslice")
}

func TestLeftOverSlicesAreRemovedByTheMendAndOursStay(t *testing.T) {
	t.Parallel()
	s := newStage(t, "endpointslice")
	s.service(object{})
	s.slice("radio-leader-ipv4", "leader-elector.io", object{"leader-elector.io/term": "7"}, "10.1.2.3")
	s.slice("radio-old", "endpointslicemirroring-controller.k8s.io", nil, "10.1.2.9")
	s.slice("radio-hand", "me", nil, "10.1.2.8")
	f := s.finding(doctor.Fail, "radio-hand, radio-old")
	if !strings.Contains(f.Commands[0], "delete endpoints radio") {
		t.Errorf("the Endpoints that is mirrored stays: %q", f.Commands)
	}
	s.obey(f)
	s.gone(doctor.Fail, "share of the traffic")
	s.finding(doctor.OK, "radio-leader-ipv4 sends traffic to 10.1.2.3, term 7")
}

func TestALeftOverSliceWithoutAnEndpointIsAWarning(t *testing.T) {
	t.Parallel()
	s := newStage(t, "endpointslice")
	s.service(object{})
	s.slice("radio-leader-ipv4", "leader-elector.io", object{"leader-elector.io/term": "7"}, "10.1.2.3")
	s.slice("radio-old", "endpointslice-controller.k8s.io", nil)
	s.gone(doctor.Fail, "share of the traffic")
	s.obey(s.finding(doctor.Warn, "left over, without an endpoint", "radio-old"))
	s.gone(doctor.Warn, "left over")
}

func TestAServiceThatCannotBeRoutedIsNamedWithItsField(t *testing.T) {
	t.Parallel()
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, "endpointslice")
		s.obey(s.finding(doctor.Fail, "there is no Service "+s.ns+"/radio"))
		s.gone(doctor.Fail, "Service")
	})
	t.Run("target port by name", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, "endpointslice")
		s.service(object{"ports": []object{{"port": 80, "targetPort": 8080, "name": "a"}, {"port": 8000, "targetPort": "stream", "name": "b"}}})
		f := s.finding(doctor.Fail, "8000", `targetPort "stream" by name`)
		s.obey(f)
		s.gone(doctor.Fail, "by name")
	})
	t.Run("ExternalName", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, "endpointslice")
		s.service(object{"type": "ExternalName", "externalName": "radio.example.org"})
		if f := s.finding(doctor.Fail, "ExternalName"); !strings.Contains(f.Mend, "spec.type") {
			t.Errorf("%+v", f)
		}
	})
	t.Run("family", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, "endpointslice")
		s.service(object{})
		s.cfg.PodIPs = []string{"fd00::7"}
		if f := s.finding(doctor.Fail, "none for IPv4"); !strings.Contains(f.Mend, "spec.ipFamilies") {
			t.Errorf("%+v", f)
		}
		s.cfg.PodIPs = nil
		s.finding(doctor.Warn, "address is not known")
		s.cfg.PodIPs = []string{"10.1.2.3"}
		s.finding(doctor.OK, "fits --route=endpointslice")
	})
	t.Run("label", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, "label")
		s.service(object{"selector": object{"app": "radio"}})
		s.obey(s.finding(doctor.Fail, "does not select leader-elector.io/role=leader"))
		s.finding(doctor.OK, "fits --route=label")
	})
}

func TestOurSliceIsHeldAgainstTheLock(t *testing.T) {
	t.Parallel()
	s := newStage(t, "endpointslice")
	s.service(object{})
	s.lead("a", s.creds.PodUID, 10*time.Second)
	s.finding(doctor.Fail, "a leads, but its slice radio-leader-ipv4 or radio-leader-ipv6 is not there")
	s.slice("radio-leader-ipv4", "leader-elector.io", object{"leader-elector.io/term": "1"}, "10.1.2.9")
	s.finding(doctor.Fail, "is of term 1", "traffic goes to 10.1.2.9")
	path := "/apis/discovery.k8s.io/v1/namespaces/%/endpointslices/radio-leader-ipv4"
	s.do(http.MethodPatch, path, object{"metadata": object{"annotations": object{"leader-elector.io/term": nil}}})
	s.finding(doctor.Warn, "carries no term")
	s.do(http.MethodPatch, path, object{"metadata": object{"annotations": object{"leader-elector.io/term": "999999999"}}})
	s.finding(doctor.OK, "sends traffic to 10.1.2.9, term 999999999")
	s.do(http.MethodPatch, path, object{"metadata": object{"ownerReferences": nil}})
	s.finding(doctor.Warn, "owned by no Pod")
	s.do(http.MethodPatch, path, object{"endpoints": []object{}})
	s.finding(doctor.Fail, "is empty although a leads")
	s.do(http.MethodPatch, path, object{"endpoints": []object{{"addresses": []string{"10.1.2.3"}}, {"addresses": []string{"10.1.2.9"}}}})
	s.obey(s.finding(doctor.Fail, "has 2 addresses: 10.1.2.3, 10.1.2.9"))
	s.gone(doctor.Fail, "has 2 addresses")
}

func TestASliceOfTheWrongFamilyIsRemovedByTheMend(t *testing.T) {
	t.Parallel()
	s := newStage(t, "endpointslice")
	s.service(object{})
	s.slice("radio-leader-ipv6", "leader-elector.io", nil, "10.1.2.3")
	s.obey(s.finding(doctor.Fail, "radio-leader-ipv6 is of addressType IPv4"))
	s.gone(doctor.Fail, "addressType")
}

func TestOnlyTheSlicesThatThisPodWritesNeedRights(t *testing.T) {
	t.Parallel()
	s := newStage(t, "endpointslice")
	s.cfg.PodIPs = []string{"10.1.2.3"}
	s.rules[2] = rule("discovery.k8s.io", "endpointslices", "radio-leader-ipv4", "get", "watch", "update")
	s.grant()
	s.gone(doctor.Fail, "may not")
	s.cfg.PodIPs = append(s.cfg.PodIPs, "fd00::3")
	s.add(s.finding(doctor.Fail, "may not get, update", "radio-leader-ipv6").Rules...)
	s.add(s.finding(doctor.Warn, "may not watch", "radio-leader-ipv6").Rules...)
	s.gone(doctor.Fail, "may not")
}

func TestLabelsAreHeldAgainstTheLock(t *testing.T) {
	t.Parallel()
	s := newStage(t, "label")
	s.service(object{"selector": object{"leader-elector.io/role": "leader"}})
	pod := func(name string, labels object) {
		t.Helper()
		s.do(http.MethodPatch, "/api/v1/namespaces/%/pods/"+name, object{"metadata": object{"labels": labels}})
	}
	s.plane.Join(t, joined(s, "b"))
	s.grant()
	f := s.finding(doctor.Fail, "this pod does not match leader-elector.io/election=music")
	if !strings.Contains(f.Mend, "spec.template.metadata.labels") {
		t.Errorf("%+v", f)
	}
	pod("a", object{"leader-elector.io/election": "music"})
	pod("b", object{"leader-elector.io/election": "music"})
	s.gone(doctor.Fail, "does not match")
	s.lead("a", s.creds.PodUID, 10*time.Second)
	s.finding(doctor.Fail, "a leads, but no pod is labelled")
	pod("b", object{"leader-elector.io/role": "leader"})
	s.finding(doctor.Fail, "b is labelled the leader, but a leads")
	pod("a", object{"leader-elector.io/role": "leader"})
	s.finding(doctor.Fail, "2 pods are labelled", "a, b")
	pod("b", object{"leader-elector.io/role": "standby"})
	s.finding(doctor.OK, "labelled leader: a")
}
