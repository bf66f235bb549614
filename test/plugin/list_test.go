package plugin_test

import (
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// elections is the shape of `list -o json`, as docs/kubectl-leader.md has it.
type elections struct {
	APIVersion, Kind string
	Items            []election
}

type election struct {
	APIVersion, Kind, Namespace, Name, Status, Leader, Lock, PausedReason string
	Foreign, Paused                                                       bool
	Since, Renewed, Expires                                               *time.Time
	Term                                                                  *string
	Transitions, TTLSeconds                                               int
	Switchover                                                            *struct{ From, To string }
}

func (s *stage) list(args ...string) []election {
	s.t.Helper()
	var l elections
	s.plugin(append([]string{"list", "-o", "json"}, args...)...).wants(s.t, 0).into(s.t, &l)
	if l.Kind != "ElectionList" || l.APIVersion != "cli.leader-elector.io/v1" {
		s.t.Errorf("the list calls itself %s %s", l.APIVersion, l.Kind)
	}
	return l.Items
}

func TestListShowsElectionsAndNoHeartbeats(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.pair()
	leases := "/apis/coordination.k8s.io/v1/namespaces/" + s.ns + "/leases"
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z")
	s.must(http.MethodPost, leases, object{"metadata": object{"name": "node"}, "spec": object{
		"holderIdentity": "node", "leaseDurationSeconds": 40, "renewTime": now}})
	s.must(http.MethodPost, leases, object{"metadata": object{"name": "clientgo"}, "spec": object{
		"holderIdentity": "they", "leaseDurationSeconds": 15, "renewTime": now, "acquireTime": now, "leaseTransitions": 3}})
	s.must(http.MethodPost, leases, object{"metadata": object{"name": "gone"}, "spec": object{
		"holderIdentity": "they", "leaseDurationSeconds": 15, "renewTime": "2026-01-02T03:04:05.000000Z", "acquireTime": "2026-01-02T03:04:05.000000Z"}})

	got := map[string]election{}
	for _, e := range s.list() {
		got[e.Name] = e
	}
	music := got["music"]
	if music.Leader != "a" || music.Status != "Led" || music.Term == nil || music.Foreign || music.TTLSeconds != 4 || music.Since == nil || music.Expires == nil || music.Lock != "leases" {
		t.Errorf("ours is shown as %+v", music)
	}
	if they := got["clientgo"]; they.Leader != "they" || they.Status != "Led" || they.Term != nil || !they.Foreign || they.Transitions != 3 {
		t.Errorf("client-go's is shown as %+v", they)
	}
	if gone := got["gone"]; gone.Status != "Expired" {
		t.Errorf("one that ran out is shown as %+v", gone)
	}
	if _, ok := got["node"]; ok || len(got) != 3 {
		t.Errorf("a heartbeat is listed among the elections: %+v", got)
	}
	if all := s.list("--all"); len(all) != 4 {
		t.Errorf("--all lists %d leases of 4", len(all))
	}
	table := s.plugin("list").wants(t, 0, "NAME", "EXPIRES").out
	for _, want := range []string{`(?m)^music +Led +a +\S+ +` + *music.Term + ` +1 +leases +[0-4]s$`, `(?m)^clientgo +Led +they +\S+ +- +3 +leases +\d+s$`, `(?m)^gone +Expired +they .* ago$`} {
		if !regexp.MustCompile(want).MatchString(table) {
			t.Errorf("no line is like %s:\n%s", want, table)
		}
	}
	s.plugin("list", "-o", "wide").wants(t, 0, "TTL", "ELECTOR", "NOTE", "foreign", "leader-elector")
	s.plugin("list", "-o", "yaml").wants(t, 0, "kind: ElectionList", "leader: a")
	if names := s.plugin("list", "-o", "name").wants(t, 0); names.out != "lease.coordination.k8s.io/clientgo\nlease.coordination.k8s.io/gone\nlease.coordination.k8s.io/music\n" {
		t.Errorf("-o name: %q", names.out)
	}
	if other := s.plugin("list", "-A", "--no-headers"); !strings.Contains(other.out, s.ns+" ") {
		t.Errorf("-A does not show the namespace:\n%v", other)
	}
}

func TestListShowsWhatBecameOfALead(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a, b := s.pair()
	b.stop(syscall.SIGKILL)
	a.stop(syscall.SIGTERM)
	if e := s.list()[0]; e.Status != "Free" || e.Leader != "" || e.Term != nil {
		t.Errorf("a released lock is shown as %+v", e)
	}
	s.must(http.MethodPatch, s.lease(), object{"spec": object{"leaseDurationSeconds": 1}})
	if e := s.list()[0]; e.Status != "Vacant" || e.Leader != "" {
		t.Errorf("a release that somebody edited is shown as %+v", e)
	}
}

func TestListReadsEndpointsOf05(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.must(http.MethodPost, s.core("/endpoints"), object{"metadata": object{"name": "service"}})
	s.must(http.MethodPost, s.core("/endpoints"), object{"metadata": object{"name": "example", "annotations": object{
		"control-plane.alpha.kubernetes.io/leader": `{"holderIdentity":"music-x","leaseDurationSeconds":10,"acquireTime":"2026-11-23T06:34:49Z","renewTime":"2026-11-23T06:35:01Z","leaderTransitions":2}`}}})
	got := s.list("--lock=endpoints")
	if len(got) != 1 || got[0].Name != "example" || got[0].Leader != "music-x" || !got[0].Foreign || got[0].Status != "Expired" || got[0].Transitions != 2 || got[0].Lock != "endpoints" {
		t.Errorf("it lists %+v", got)
	}
	s.plugin("list").wants(t, 0, "No elections in the namespace")
	s.plugin("describe", "example").wants(t, 0, "endpoints/example", "not leader-elector")
}
