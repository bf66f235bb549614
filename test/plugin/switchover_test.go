package plugin_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// unfit are the flags of a candidate whose app is not fit.
var unfit = []string{"--health-check=file:///nowhere?max-age=1s", "--health-start-wait=1ms"}

// notes are the annotations of the lock.
func (s *stage) notes() map[string]string {
	s.t.Helper()
	var l struct {
		Metadata struct{ Annotations map[string]string }
	}
	if err := json.Unmarshal(s.must(http.MethodGet, s.lease(), nil), &l); err != nil {
		s.t.Fatal(err)
	}
	return l.Metadata.Annotations
}

const switchoverNote, pausedNote = "leader-elector.io/switchover-to", "leader-elector.io/paused"

func TestSwitchoverMovesTheLeadAndSaysWhoLeads(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a, b := s.pair()
	s.plugin("switchover", "music", "--to=pod/b", "--wait").wants(t, 0,
		"a is asked to hand over to b", "a offers the lead to b", "b leads with term")
	if !b.leads() || a.leads() {
		t.Errorf("b leads: %v, a leads: %v", b.leads(), a.leads())
	}
	s.plugin("switchover", "lease/music", "--to=b", "--wait").wants(t, 0, "b leads already")
	eventually(t, "a standing by", func() bool { return a.standsBy("b") })
	var did struct {
		Kind, From, To, Outcome, Leader, Term string
		TookSeconds                           float64
	}
	s.plugin("step-down", "music", "--wait", "-o", "json").wants(t, 0).into(t, &did)
	if did.Kind != "Switchover" || did.From != "b" || did.Outcome != "Moved" || did.Leader != "a" || did.Term == "" || did.TookSeconds <= 0 {
		t.Errorf("step-down says %+v", did)
	}
	eventually(t, "b standing by", func() bool { return b.standsBy("a") })
	s.plugin("switchover", "music").wants(t, 0, "lease.coordination.k8s.io/music: a is asked to hand over to anybody")
	eventually(t, "b leading again", b.leads)
	if _, ok := s.notes()[switchoverNote]; ok {
		t.Error("the request is still on the lock")
	}
}

func TestWhatCannotSucceedIsRefusedBeforeTheLeaderIsAsked(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.sidecar(1, "a", "--new-lock=immediate")
	eventually(t, "a leading", a.leads)
	s.plugin("switchover", "music", "--wait").wants(t, 1, "a is the only candidate")
	sick := s.sidecar(2, "sick", unfit...)
	eventually(t, "the sick one knowing that it is sick", func() bool { return strings.Contains(sick.get("/status"), `"waiting":"unfit: `) })
	s.plugin("switchover", "music", "--to=sick").wants(t, 1, "nobody could take over: sick is unfit")
	s.plugin("switchover", "music", "--to=nobody").wants(t, 1, `"nobody" is none of the candidates (a, sick)`)
	if _, ok := s.notes()[switchoverNote]; ok {
		t.Error("a request was written all the same")
	}
	s.plugin("switchover", "music", "--to=sick", "--force", "--wait").wants(t, 1, "sick has not accepted within a second, and a leads on", "sick: unfit")
	var did struct{ Outcome, Leader, Reason string }
	s.plugin("switchover", "music", "--to=sick", "--force", "--wait", "-o", "json").wants(t, 1).into(t, &did)
	if did.Outcome != "Refused" || did.Leader != "a" || did.Reason == "" {
		t.Errorf("as JSON: %+v", did)
	}
	if !a.leads() {
		t.Error("a refused switchover cost the lead")
	}
}

func TestARequestThatIsNotTakenUpIsWithdrawn(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a, b := s.pair("--ttl=60s")
	a.cmd.Process.Signal(syscall.SIGSTOP)
	s.plugin("switchover", "music", "--wait", "--timeout=1s").wants(t, 1, "a has not taken the request up within 1s", "The request is withdrawn", "b: standby")
	if _, ok := s.notes()[switchoverNote]; ok {
		t.Error("the request is still on the lock")
	}
	a.cmd.Process.Signal(syscall.SIGCONT)
	eventually(t, "a leading on", func() bool { return a.leads() && b.standsBy("a") })
}

func TestAPauseIsSetWithItsReasonAndStopsASwitchover(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	_, b := s.pair()
	s.plugin("pause", "music", "--dry-run=server").wants(t, 0, "paused (server dry run)")
	s.plugin("resume", "music").wants(t, 0, "was not paused")
	s.plugin("pause", "music", "--reason=migration, jane").wants(t, 0, "lease.coordination.k8s.io/music paused")
	if value := s.notes()[pausedNote]; value != "migration, jane" {
		t.Errorf("the annotation is %q", value)
	}
	eventually(t, "b knowing the pause", func() bool { return strings.Contains(b.get("/status"), `"paused":true`) })
	if e := s.list()[0]; !e.Paused || e.PausedReason != "migration, jane" || e.Status != "Led" {
		t.Errorf("list shows %+v", e)
	}
	s.plugin("list", "-o", "wide").wants(t, 0, "Led,Paused", "migration, jane")
	s.plugin("pause", "music").wants(t, 0, "is paused already")
	s.plugin("switchover", "music", "--wait").wants(t, 1, "the election is paused (migration, jane): kubectl leader resume music -n "+s.ns)
	s.plugin("verify", "music").wants(t, 0, "warning Paused")
	s.plugin("resume", "music").wants(t, 0, "resumed")
	if value, ok := s.notes()[pausedNote]; ok {
		t.Errorf("after resume the annotation is %q", value)
	}
	s.plugin("pause", "music", "--reason=false").wants(t, 0)
	if value := s.notes()[pausedNote]; value != "true" {
		t.Errorf("the reason \"false\" makes the annotation %q, which pauses nothing", value)
	}
}

// role gives a user rights on the namespace.
func (s *stage) role(user string, rules ...object) {
	s.t.Helper()
	rbac := "/apis/rbac.authorization.k8s.io/v1/namespaces/" + s.ns
	s.must(http.MethodPost, rbac+"/roles", object{"metadata": object{"name": user}, "rules": rules})
	s.must(http.MethodPost, rbac+"/rolebindings", object{
		"metadata": object{"name": user},
		"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
		"subjects": []object{{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}},
	})
}

func TestAnOperatorNeedsOnlyToGetAndPatchTheLock(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	_, b := s.pair()
	s.role("operator", object{"apiGroups": []string{"coordination.k8s.io"}, "resources": []string{"leases"}, "resourceNames": []string{"music"}, "verbs": []string{"get", "patch"}})
	s.plugin("switchover", "music", "--wait", "--as=operator").wants(t, 0, "note: the candidates are not known", "b leads with term")
	eventually(t, "b leading", b.leads)
	s.plugin("pause", "music", "--as=operator").wants(t, 0, "paused")
	s.plugin("verify", "music", "--as=operator").wants(t, 1, "CannotRead", `{apiGroups: [""], resources: [pods], verbs: [list]}`)
}

func TestAMissingRightIsToldWithTheRule(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.sidecar(1, "a", "--new-lock=immediate")
	eventually(t, "a leading", a.leads)
	rule := "{apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [music], verbs: [get]}"
	for _, command := range []string{"describe", "verify", "switchover", "step-down", "pause", "resume"} {
		s.plugin(command, "music", "--as=nobody").wants(t, 1, rule, "a Role in the namespace")
	}
	s.plugin("list", "--as=nobody").wants(t, 1, "{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [list]}")
	s.plugin("list", "-A", "--as=nobody").wants(t, 1, "It takes a ClusterRole", "Without it: kubectl leader list -n NAMESPACE")
	s.role("reader", object{"apiGroups": []string{"coordination.k8s.io"}, "resources": []string{"leases"}, "verbs": []string{"get"}},
		object{"apiGroups": []string{""}, "resources": []string{"pods"}, "verbs": []string{"list"}})
	s.plugin("pause", "music", "--as=reader").wants(t, 1, "resourceNames: [music], verbs: [patch]}")
	s.plugin("verify", "music", "--as=reader").wants(t, 1, "NoAnswer", `{apiGroups: [""], resources: [pods/proxy], verbs: [get]}`)
}

func TestAForeignLeaderIsNotAsked(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.must(http.MethodPost, strings.TrimSuffix(s.lease(), "/music"), object{"metadata": object{"name": "music"}, "spec": object{
		"holderIdentity": "they", "leaseDurationSeconds": 15, "acquireTime": "2026-01-02T03:04:05.000000Z", "renewTime": "2026-01-02T03:04:05.000000Z"}})
	s.plugin("switchover", "music").wants(t, 1, "they leads, which is not leader-elector")
	s.plugin("pause", "music").wants(t, 0, "does not heed a pause")
	s.plugin("switchover", "nothing").wants(t, 1, "there is no such election", "kubectl leader list -A")
}

func TestWrongUsageIs2(t *testing.T) {
	t.Parallel()
	kubeconfig := testplane.Get(t).Kubeconfig
	for _, line := range []string{
		"dance", "list music", "list --lock=pods", "list -o toml", "list --chunk-size=-1", "describe", "describe a b", "verify pod/music",
		"switchover music --timeout=0s", "switchover music --to=node/x", "step-down music --to=b", "pause music --dry-run=perhaps", "verify music --port=70000", "describe music --nonsense",
	} {
		run(t, kubeconfig, strings.Fields(line)...).wants(t, 2, "error: ", "--help'")
	}
	run(t, kubeconfig, "list", "--server=https://127.0.0.1:1").wants(t, 1, "the API server does not answer")
	run(t, kubeconfig, "list", "--context=nowhere").wants(t, 1, "nowhere")
}

// TestTheRoleOfTheManualIsEnough gives somebody the Role in the manual, and
// nothing else.
func TestTheRoleOfTheManualIsEnough(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../../docs/kubectl-leader.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(manual), "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	var role struct{ Rules []object }
	if err := yaml.Unmarshal([]byte(text), &role); err != nil || len(role.Rules) == 0 {
		t.Fatalf("%v: %s", err, text)
	}
	s := newStage(t)
	_, b := s.pair()
	s.service(object{"app": "music"})
	s.role("oncall", role.Rules...)
	s.plugin("verify", "music", "--as=oncall").wants(t, 0, "ok: a leads")
	if said := s.plugin("describe", "music", "--as=oncall").wants(t, 0, "you: all that is needed", "subjectaccessreviews"); strings.Contains(said.out, "Not read") {
		t.Errorf("something could not be read:\n%v", said)
	}
	s.plugin("list", "--as=oncall").wants(t, 0, "music")
	if said := s.plugin("switchover", "music", "--wait", "--as=oncall").wants(t, 0, "b leads"); said.err != "" {
		t.Errorf("it complains:\n%v", said)
	}
	eventually(t, "b leading", b.leads)
	s.plugin("pause", "music", "--as=oncall").wants(t, 0)
}
