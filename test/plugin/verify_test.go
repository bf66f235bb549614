package plugin_test

import (
	"net/http"
	"slices"
	"syscall"
	"testing"
)

// verified is the shape of `verify -o json`.
type verified struct {
	Kind       string
	OK         bool
	Election   election
	Findings   []struct{ Severity, Reason, Message string }
	Candidates []struct {
		Pod, Identity, Role, Leader, Term, Version, Message string
		IsLeader                                            bool
		Fit                                                 *bool
	}
}

// verify runs it, and demands the problems of these reasons and no others.
func (s *stage) verify(reasons ...string) verified {
	s.t.Helper()
	code := 0
	if len(reasons) > 0 {
		code = 1
	}
	var v verified
	said := s.plugin("verify", "music", "-o", "json").wants(s.t, code)
	said.into(s.t, &v)
	var got []string
	for _, f := range v.Findings {
		if f.Severity == "problem" {
			got = append(got, f.Reason)
		}
	}
	slices.Sort(got)
	slices.Sort(reasons)
	if !slices.Equal(slices.Compact(got), reasons) || v.OK != (len(reasons) == 0) {
		s.t.Errorf("it finds %v, want %v:\n%v", got, reasons, said)
	}
	return v
}

func TestVerifyAsksEveryCandidate(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	_, b := s.pair()
	v := s.verify()
	if v.Election.Leader != "a" || len(v.Candidates) != 2 || v.Candidates[0].Role != "leader" || v.Candidates[1].Role != "standby" || v.Candidates[1].Leader != "a" || v.Candidates[0].Term != *v.Election.Term {
		t.Errorf("it shows %+v", v)
	}
	s.plugin("verify", "music").wants(t, 0, "ok: a leads with term "+*v.Election.Term+", as the lock and 2 candidates say")
	b.stop(syscall.SIGKILL)
	s.verify("NoAnswer", "NoStandby")
}

func TestVerifyFindsTwoThatSayTheyLead(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.pair()
	elsewhere := s.plane.Namespace(t)
	rbac := "/apis/rbac.authorization.k8s.io/v1/namespaces/" + elsewhere
	s.must(http.MethodPost, rbac+"/rolebindings", object{
		"metadata": object{"name": "c"}, "roleRef": object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
		"subjects": []object{{"kind": "ServiceAccount", "name": "c", "namespace": s.ns}},
	})
	// The mistake that makes two leaders: one pod's election is in another namespace.
	c := s.sidecar(3, "c", "--election-namespace="+elsewhere, "--new-lock=immediate")
	eventually(t, "c leading too", c.leads)
	s.verify("TwoLeaders", "OtherElection")
	s.plugin("verify", "music").wants(t, 1, "a and c say at the same time that they lead", "compare --election and --election-namespace", "is not as it should be")
}

func TestVerifyFindsThatNobodyLeads(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a, b := s.pair()
	b.stop(syscall.SIGKILL)
	a.stop(syscall.SIGTERM)
	s.verify("NobodyLeads", "NoAnswer")
	sick := s.sidecar(3, "sick", unfit...)
	eventually(t, "the sick one knowing the lock", func() bool { return sick.get("/readyz") != "" })
	s.verify("NobodyLeads", "NoAnswer", "Unfit", "NoStandby")
}

func TestVerifyFindsALeaderThatIsGone(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a, b := s.pair()
	a.stop(syscall.SIGKILL)
	b.stop(syscall.SIGKILL)
	eventually(t, "the lease running out", func() bool { return s.list()[0].Status == "Expired" })
	s.verify("LeaseExpired", "NoAnswer")
}

func TestVerifyFindsDifferentSettingsAndUnfitApps(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.sidecar(1, "a", "--new-lock=immediate")
	eventually(t, "a leading", a.leads)
	b := s.sidecar(2, "b", append(unfit, "--ttl=5s")...)
	eventually(t, "b knowing the lock", func() bool { return b.get("/readyz") != "" })
	s.verify("SettingsDiffer", "Unfit", "NoStandby")
}

// service makes the Service music, and a slice that points it to pods.
func (s *stage) service(selector object, pods ...*pod) {
	s.t.Helper()
	s.must(http.MethodPost, s.core("/services"), object{"metadata": object{"name": "music"}, "spec": object{
		"selector": selector, "ports": []object{{"port": 80}}}})
	var endpoints []object
	for _, k := range pods {
		endpoints = append(endpoints, object{"addresses": []string{k.address}, "conditions": object{"ready": true},
			"targetRef": object{"kind": "Pod", "name": k.name, "namespace": s.ns}})
	}
	s.must(http.MethodPost, "/apis/discovery.k8s.io/v1/namespaces/"+s.ns+"/endpointslices", object{
		"metadata":    object{"name": "music-x", "labels": object{"kubernetes.io/service-name": "music"}},
		"addressType": "IPv4", "endpoints": endpoints, "ports": []object{{"port": 80}}})
}

func TestVerifyFindsAServiceThatPointsElsewhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		role    bool
		pods    []int
		reasons []string
	}{
		"to the leader":       {true, []int{0}, nil},
		"to a standby":        {true, []int{1}, []string{"NotRouted"}},
		"to both":             {true, []int{0, 1}, []string{"NotRouted"}},
		"to nobody":           {true, nil, []string{"NotRouted"}},
		"to all, as it wants": {false, []int{0, 1}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			a, b := s.pair()
			selector := object{"app": "music"}
			if c.role {
				selector["leader-elector.io/role"] = "leader"
			}
			var pods []*pod
			for _, i := range c.pods {
				pods = append(pods, []*pod{a, b}[i])
			}
			s.service(selector, pods...)
			s.verify(c.reasons...)
		})
	}
}

func TestDescribeShowsWhereTheTrafficGoesAndWhatIsAllowed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.must(http.MethodPost, s.core("/services"), object{"metadata": object{"name": "music"}, "spec": object{"ports": []object{{"port": 80, "targetPort": 8080}}}})
	a, _ := s.pair("--route=endpointslice", "--service=music")
	eventually(t, "the address being written", func() bool {
		code, _ := s.plane.Do(t, http.MethodGet, "/apis/discovery.k8s.io/v1/namespaces/"+s.ns+"/endpointslices/music-leader-ipv4", nil)
		return code == http.StatusOK
	})
	s.must(http.MethodPost, s.core("/events"), object{"metadata": object{"name": "x", "namespace": s.ns},
		"involvedObject": object{"kind": "Pod", "name": "a", "namespace": s.ns, "uid": "u"},
		"reason":         "BecameLeader", "message": "it leads with term 7", "type": "Normal", "count": 3, "lastTimestamp": "2026-11-29T00:00:00Z"})
	s.plugin("describe", "music").wants(t, 0,
		"Leader:", "music (follows the lead by endpointslice) points to a", a.address+" a, ready, in the slice music-leader-ipv4, written with term",
		"system:serviceaccount:"+s.ns+":a: all that is needed", "you: all that is needed", "BecameLeader", "Pod/a", "it leads with term 7")
	s.verify()
	s.must(http.MethodDelete, "/apis/rbac.authorization.k8s.io/v1/namespaces/"+s.ns+"/roles/b-music", nil)
	s.plugin("describe", "music").wants(t, 0, "system:serviceaccount:"+s.ns+":b: a Role lacks",
		"{apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [music], verbs: [update]}")
}

func TestVerifyShowsCandidatesThatNeverMadeALock(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	sick := s.sidecar(1, "sick", unfit...)
	eventually(t, "the sick one knowing that it is sick", func() bool { return sick.get("/readyz") != "" })
	if v := s.verify("NobodyLeads", "Unfit", "NoStandby"); v.Election.Status != "Missing" || len(v.Candidates) != 1 || v.Candidates[0].Role != "unfit" {
		t.Errorf("it shows %+v", v)
	}
	s.plugin("describe", "music").wants(t, 0, "Missing", "unfit")
}

func TestAPodThatIsDeletedIsNoCandidateAnyMore(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.pair()
	old := s.object(3, "old", "--ttl=9s")
	s.must(http.MethodPatch, s.core("/pods/old"), object{"metadata": object{"finalizers": []string{"test/stays"}}})
	s.must(http.MethodDelete, s.core("/pods/"+old.name), nil)
	if v := s.verify(); len(v.Candidates) != 3 || v.Candidates[2].Role != "ending" {
		t.Errorf("it shows %+v", v)
	}
}
