package route_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/kube"
)

// history is every state of the IPv4 slice, watched from now on.
func (s *stage) history() func() []string {
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var states []string
	up := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		ref := kube.Ref{APIVersion: "discovery.k8s.io/v1", Resource: "endpointslices", Namespace: s.namespace, Name: "radio-leader-ipv4"}
		s.client(s.p.Kubeconfig).Watch(ctx, ref, func(e kube.Event) {
			mu.Lock()
			defer mu.Unlock()
			switch e.Type {
			case kube.Up:
				close(up)
			case kube.Deleted:
				states = append(states, "deleted")
			case kube.Changed, kube.Listed:
				var o object
				json.Unmarshal(e.Object, &o)
				states = append(states, o.addresses())
			}
		})
	}()
	s.t.Cleanup(func() { cancel(); <-done })
	<-up
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(states)
	}
}

func TestTheSuccessorReplacesTheAddressInOneWrite(t *testing.T) {
	t.Parallel()
	s := onStage(t, plainService)
	history := s.history()
	a, b := s.join("a", "10.1.0.1"), s.join("b", "10.1.0.2")
	a.lead(10)
	a.wrote("10.1.0.1", 10)
	a.stop()
	if o, _ := s.read(ipv4); o.addresses() != "10.1.0.1" {
		t.Errorf("the leader that stopped left %q", o.addresses())
	}
	b.lead(11)
	b.wrote("10.1.0.2", 11)
	want := []string{"10.1.0.1", "10.1.0.2"}
	eventually(t, "the watch showing the second", func() bool { return slices.Contains(history(), "10.1.0.2") })
	if got := history(); !slices.Equal(got, want) {
		t.Errorf("the slice went through %q, want %q", got, want)
	}
	if confirms, _ := b.count(); confirms != 0 {
		t.Errorf("a slice of a lower term cost %d confirmations", confirms)
	}
	if v := b.Routing().Slices; len(v) != 1 || !v[0].Mine || v[0].Term != "11" || !slices.Equal(v[0].Addresses, []string{"10.1.0.2"}) || v[0].Since == nil {
		t.Errorf("the status shows %+v", v)
	}
}

func TestASliceSaysWhoseAddressItIsAndBelongsToThePod(t *testing.T) {
	t.Parallel()
	s := onStage(t, plainService)
	a := s.join("a", "10.1.0.1")
	a.lead(10)
	o := a.wrote("10.1.0.1", 10)
	if len(o.Endpoints) != 1 || o.AddressType != "IPv4" {
		t.Fatalf("%+v", o)
	}
	for _, c := range []struct{ got, want any }{
		{o.Endpoints[0].Conditions, map[string]bool{"ready": true, "serving": true, "terminating": false}},
		{o.Endpoints[0].NodeName, "node-of-a"},
		{o.Endpoints[0].TargetRef, map[string]string{"kind": "Pod", "namespace": s.namespace, "name": "a", "uid": a.uid}},
		{o.Metadata.OwnerReferences, []map[string]any{{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": a.uid}}},
		{o.Metadata.Labels, map[string]string{"kubernetes.io/service-name": "radio", "endpointslice.kubernetes.io/managed-by": "leader-elector.io"}},
		{o.Ports, []map[string]any{
			{"name": "http", "protocol": "TCP", "port": 8080.0, "appProtocol": "http"},
			{"name": "udp", "protocol": "UDP", "port": 53.0},
		}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("got  %v\nwant %v", c.got, c.want)
		}
	}
}

func TestWhatIsEditedEmptiedOrDeletedIsWrittenAgain(t *testing.T) {
	t.Parallel()
	s := onStage(t, plainService)
	a := s.join("a", "10.1.0.1")
	a.lead(10)
	a.wrote("10.1.0.1", 10)
	for what, edit := range map[string]func(){
		"edited":  func() { s.do(http.MethodPatch, ipv4, `{"endpoints":[{"addresses":["10.9.9.9"]}]}`) },
		"emptied": func() { s.do(http.MethodPatch, ipv4, `{"endpoints":[]}`) },
		"made unready": func() {
			s.do(http.MethodPatch, ipv4, `{"endpoints":[{"addresses":["10.1.0.1"],"conditions":{"ready":false}}]}`)
		},
		"deleted":             func() { s.do(http.MethodDelete, ipv4, "") },
		"without its ports":   func() { s.do(http.MethodPatch, ipv4, `{"ports":[]}`) },
		"without its Service": func() { s.do(http.MethodPatch, ipv4, `{"metadata":{"labels":{"kubernetes.io/service-name":null}}}`) },
		"disowned":            func() { s.do(http.MethodPatch, ipv4, `{"metadata":{"ownerReferences":null}}`) },
		"made anew":           func() { s.write("10.9.9.9", "", "") },
		"given a lower term":  func() { s.do(http.MethodPatch, ipv4, `{"metadata":{"annotations":{"leader-elector.io/term":"3"}}}`) },
	} {
		edit()
		edited := time.Now()
		eventually(t, what+": written again", func() bool {
			o, _ := s.read(ipv4)
			return o.addresses() == "10.1.0.1" && o.term() == "10" && len(o.Endpoints) == 1 && o.Endpoints[0].Conditions["ready"] &&
				len(o.Ports) == 2 && len(o.Metadata.OwnerReferences) == 1 && o.Metadata.Labels["kubernetes.io/service-name"] == "radio"
		})
		if late := time.Since(edited); late > 10*time.Second {
			t.Errorf("%s: written again after %v; is it watched?", what, late)
		}
	}
	if !strings.Contains(a.log.String(), "by somebody else and is written again") {
		t.Error("the log says nothing of it")
	}
}

func TestAPartitionedLeaderNeverOverwritesItsSuccessor(t *testing.T) {
	t.Parallel()
	over := errors.New("the lead of term 10 is over")
	for what, successor := range map[string]struct{ term, writer, told string }{
		"a higher term":       {"20", "uid/start", "its term 20 is higher than this leader's, 10"},
		"the same, another's": {"10", "uid/start", "another wrote it"},
		"a malformed term":    {"0x20", "uid/start", `its term "0x20" is not one`},
		"none":                {"", "", "it has no term"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := onStage(t, plainService)
			s.write("10.1.0.2", successor.term, successor.writer)
			before, _ := s.read(ipv4)
			a := s.join("a", "10.1.0.1")
			a.confirm = func() error { return over }
			a.lead(10)
			a.complains(successor.told, over.Error())
			if after, _ := s.read(ipv4); after.Metadata.ResourceVersion != before.Metadata.ResourceVersion {
				t.Fatalf("the slice was overwritten with %s", after.addresses())
			}
			a.mu.Lock()
			a.confirm = nil // it turns out that the lead holds: the slice is an older leader's after all
			a.mu.Unlock()
			s.shows("10.1.0.1", 10)
			a.content()
			if log := a.log.String(); !strings.Contains(log, "of doubtful origin") {
				t.Error("the log does not report it")
			}
		})
	}
}

// The proof must be younger than what was read: a successor that writes between
// the two is not overwritten.
func TestAProofCountsOnlyForWhatWasReadBeforeIt(t *testing.T) {
	t.Parallel()
	s := onStage(t, plainService)
	s.write("10.1.0.2", "20", "uid/start")
	a := s.join("a", "10.1.0.1")
	first := true
	a.confirm = func() error {
		if !first {
			return errors.New("the lead is over")
		}
		first = false
		s.do(http.MethodPatch, ipv4, `{"metadata":{"annotations":{"leader-elector.io/term":"30"}}}`)
		return nil
	}
	a.lead(10)
	a.complains("its term 30 is higher", "the lead is over")
	if o, _ := s.read(ipv4); o.addresses() != "10.1.0.2" || o.term() != "30" {
		t.Errorf("the successor's slice became %s of term %s", o.addresses(), o.term())
	}
}

func TestALeaderAtRestWritesNothing(t *testing.T) {
	t.Parallel()
	s := onStage(t, plainService)
	a := s.join("a", "10.1.0.1")
	a.lead(10)
	before := a.wrote("10.1.0.1", 10)
	a.stop()
	a.lead(10) // looks again, at what it wrote itself
	a.wrote("10.1.0.1", 10)
	if after, _ := s.read(ipv4); after.Metadata.ResourceVersion != before.Metadata.ResourceVersion {
		t.Error("what needed no change was written")
	}
	// A write of the same content leaves no trace on the server.
	if n := strings.Count(a.log.String(), "the traffic is sent here"); n != 1 {
		t.Errorf("it was written %d times", n)
	}
}

func TestEndTakesAwayOnlyItsOwnLastAddress(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		meanwhile func(s *stage)
		want      string
	}{
		"nobody follows":     {func(*stage) {}, ""},
		"a successor wrote":  {func(s *stage) { s.join("b", "10.1.0.2").lead(11); s.shows("10.1.0.2", 11) }, "10.1.0.2"},
		"somebody wrote":     {func(s *stage) { s.do(http.MethodPatch, ipv4, `{"metadata":{"labels":{"x":"y"}}}`) }, "10.1.0.1"},
		"it was made anew":   {func(s *stage) { s.write("10.1.0.1", "9", "x") }, "10.1.0.1"},
		"it was deleted too": {func(s *stage) { s.do(http.MethodDelete, ipv4, "") }, ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := onStage(t, plainService)
			a := s.join("a", "10.1.0.1")
			a.lead(10)
			a.wrote("10.1.0.1", 10)
			a.stop()
			c.meanwhile(s)
			a.End(t.Context())
			if o, _ := s.read(ipv4); o.addresses() != c.want {
				t.Errorf("the slice holds %q, want %q", o.addresses(), c.want)
			}
		})
	}
}

func TestEndWaitsForASuccessor(t *testing.T) {
	t.Parallel()
	s := onStage(t, plainService)
	history := s.history()
	a, b := s.join("a", "10.1.0.1"), s.join("b", "10.1.0.2")
	a.lead(10)
	a.wrote("10.1.0.1", 10)
	a.stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.End(context.Background())
	}()
	b.lead(11)
	<-ended
	eventually(t, "the watch showing the successor", func() bool { return slices.Contains(history(), "10.1.0.2") })
	if got := history(); slices.Contains(got, "") {
		t.Errorf("the slice went through %q", got)
	}
}
