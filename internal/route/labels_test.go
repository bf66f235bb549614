package route_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"github.com/leader-elector/leader-elector/internal/kube"
	"github.com/leader-elector/leader-elector/internal/route"
	"github.com/leader-elector/leader-elector/internal/testplane"
)

const selector = "leader-elector.io/election=radio"

// labeller is one of the election's pods, with the rights that we ship.
type labeller struct {
	*route.Labels
	s    *stage
	pod  string
	stop context.CancelFunc // of the present lead
}

func (s *stage) labeller(pod string, without ...string) *labeller {
	s.t.Helper()
	creds := s.p.Join(s.t, testplane.Candidate{Namespace: s.namespace, Pod: pod, Election: "radio", Labels: true, Without: without})
	access, err := kube.FromKubeconfig(creds.Kubeconfig, "")
	if err != nil {
		s.t.Fatal(err)
	}
	client, err := kube.New(access)
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := route.NewLabels(route.LabelConfig{
		Client: client, Election: "radio", Selector: selector,
		Pod: route.Pod{Namespace: s.namespace, Name: pod, UID: creds.PodUID},
		Log: slog.New(slog.NewTextHandler(s.t.Output(), nil)).With("pod", pod),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	k := &labeller{Labels: l, s: s, pod: pod}
	s.t.Cleanup(func() { k.yields() })
	return k
}

// leads begins a lead.
func (k *labeller) leads(term elector.Term) {
	k.s.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	k.stop = stop
	if err := k.Lead(ctx, term); err != nil {
		k.s.t.Fatal(err)
	}
}

// yields ends it, as the library does.
func (k *labeller) yields() {
	if k.stop == nil {
		return
	}
	k.stop()
	k.stop = nil
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := k.Stop(ctx, elector.ReasonStopping); err != nil {
		k.s.t.Error(err)
	}
}

type podMeta struct {
	Metadata struct {
		Name                string
		Labels, Annotations map[string]string
	}
}

// roles are the labels of the election's pods, such as "a=leader b=standby".
func (s *stage) roles() string {
	s.t.Helper()
	var list struct{ Items []podMeta }
	if err := json.Unmarshal(s.do(http.MethodGet, "pods?labelSelector="+strings.ReplaceAll(selector, "=", "%3D"), ""), &list); err != nil {
		s.t.Fatal(err)
	}
	var all []string
	for _, p := range list.Items {
		all = append(all, p.Metadata.Name+"="+p.Metadata.Labels["leader-elector.io/role"])
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (s *stage) untilRoles(want string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for got := ""; got != want; got = s.roles() {
		select {
		case <-ctx.Done():
			s.t.Fatalf("the roles are %q, want %q", got, want)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (s *stage) patchPod(pod, metadata string) {
	s.t.Helper()
	s.do(http.MethodPatch, "pods/"+pod, `{"metadata":`+metadata+`}`)
}

// watchLeaders fails the test if at any event of a watch two pods are labelled
// leader.
func (s *stage) watchLeaders() {
	s.t.Helper()
	creds := s.p.Join(s.t, testplane.Candidate{Namespace: s.namespace, Pod: "watcher", Election: "other", Labels: true})
	access, err := kube.FromKubeconfig(creds.Kubeconfig, "")
	if err != nil {
		s.t.Fatal(err)
	}
	client, err := kube.New(access)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	leaders, done, up := map[string]bool{}, make(chan struct{}), make(chan struct{})
	var once sync.Once
	go func() {
		defer close(done)
		client.WatchLabelled(ctx, kube.Ref{APIVersion: "v1", Resource: "pods", Namespace: s.namespace}, selector, func(e kube.Event) {
			if e.Type == kube.Up {
				once.Do(func() { close(up) })
			}
			var p podMeta
			if json.Unmarshal(e.Object, &p) != nil {
				return
			}
			leaders[p.Metadata.Name] = p.Metadata.Labels["leader-elector.io/role"] == "leader" && e.Type != kube.Deleted
			n := 0
			for _, yes := range leaders {
				if yes {
					n++
				}
			}
			if n > 1 {
				s.t.Errorf("%d pods are labelled leader: %v", n, leaders)
			}
		})
	}()
	<-up
	s.t.Cleanup(func() {
		cancel()
		<-done
		if len(leaders) == 0 {
			s.t.Error("the watch saw nothing")
		}
	})
}

func TestOnlyTheLeaderIsLabelledLeaderAtEveryInstant(t *testing.T) {
	t.Parallel()
	s := onStage(t, "")
	a, b := s.labeller("a"), s.labeller("b")
	s.watchLeaders()
	a.leads(10)
	s.untilRoles("a=leader b=standby")
	a.yields()
	s.untilRoles("a=standby b=standby")
	b.leads(20)
	s.untilRoles("a=standby b=leader")
	// The next leader does not wait for the label of one that is cut off.
	a.leads(30)
	s.untilRoles("a=leader b=standby")
}

func TestTheLabelIsWithdrawnBeforeStopReturns(t *testing.T) {
	t.Parallel()
	s := onStage(t, "")
	a := s.labeller("a")
	a.leads(10)
	s.untilRoles("a=leader")
	a.yields()
	if got := s.roles(); got != "a=standby" {
		t.Errorf("after Stop the roles are %q", got)
	}
}

func TestALeaderThatWasCutOffWritesNothingAgainstItsSuccessor(t *testing.T) {
	t.Parallel()
	s := onStage(t, "")
	a, b := s.labeller("a"), s.labeller("b")
	b.leads(20)
	s.untilRoles("a=standby b=leader")
	a.leads(10) // it believes so
	k := a.told("was labelled for term 20, which is later")
	if got := s.roles(); got != "a=standby b=leader" {
		t.Errorf("the roles are %q after %q", got, k)
	}
	a.yields()
	if got := s.roles(); got != "a=standby b=leader" {
		t.Errorf("after the old leader's end the roles are %q", got)
	}
}

// told waits for a fault in the status.
func (k *labeller) told(words string) string {
	k.s.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if e := k.Routing().LastError; strings.Contains(e, words) {
			return e
		}
	}
	k.s.t.Fatalf("never told %q; the last error is %q", words, k.Routing().LastError)
	return ""
}

func TestPodsThatComeAndLabelsThatSomebodyEditsAreSetRight(t *testing.T) {
	t.Parallel()
	s := onStage(t, "")
	a := s.labeller("a")
	a.leads(10)
	s.untilRoles("a=leader")
	s.labeller("b")
	s.untilRoles("a=leader b=standby")
	s.patchPod("a", `{"labels":{"leader-elector.io/role":null}}`)
	s.untilRoles("a=leader b=standby")
	s.patchPod("b", `{"labels":{"leader-elector.io/role":"leader"}}`)
	s.untilRoles("a=leader b=standby")
	eventuallyEmpty(t, a)
}

func eventuallyEmpty(t *testing.T, k *labeller) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if r := k.Routing(); r.LastError == "" && fmt.Sprint(r.Pods) == "[{a leader 10} {b standby 10}]" {
			return
		}
	}
	t.Errorf("the status shows %+v", k.Routing())
}

func TestACandidateThatStartsClearsTheLabelOfItsPredecessor(t *testing.T) {
	t.Parallel()
	s := onStage(t, "")
	a := s.labeller("a")
	s.patchPod("a", `{"labels":{"leader-elector.io/role":"leader"},"annotations":{"leader-elector.io/term":"10"}}`)
	a.Clear(t.Context())
	if got := s.roles(); got != "a=standby" {
		t.Errorf("the roles are %q", got)
	}
}

func TestMissingRightsAreToldWithTheRule(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"list", "watch", "patch"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			s := onStage(t, "")
			a := s.labeller("a", verb)
			a.leads(10)
			a.told(verb)
			a.yields()
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() { defer close(done); a.Clear(ctx) }()
			a.told(`add to the Role: {apiGroups: [""], resources: [pods], verbs: [` + verb + `]}`)
			cancel()
			<-done
		})
	}
}

func TestAPodThatTheSelectorDoesNotChooseIsToldSo(t *testing.T) {
	t.Parallel()
	s := onStage(t, "")
	a := s.labeller("a")
	s.patchPod("a", `{"labels":{"leader-elector.io/election":null}}`)
	a.leads(10)
	a.told("give the pod template that label")
}
