package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// podAt is a pod with an address of its own, as its /etc/hosts says.
func podAt(t *testing.T, p *testplane.Plane, c testplane.Candidate, ip string) []string {
	t.Helper()
	env := podRoot(t, p, c)
	root := strings.TrimPrefix(env[0], "LEADER_ELECTOR_POD_ROOT=")
	hosts := "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n" + ip + "\t" + c.Pod + "\n"
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/hosts"), []byte(hosts), 0o644); err != nil {
		t.Fatal(err)
	}
	return env
}

func makeService(t *testing.T, p *testplane.Plane, namespace, spec string) {
	t.Helper()
	if code, body := p.Do(t, http.MethodPost, "/api/v1/namespaces/"+namespace+"/services", []byte(`{"metadata":{"name":"radio"},"spec":`+spec+`}`)); code != http.StatusCreated {
		t.Fatalf("%d %s", code, body)
	}
}

// routedTo is where the Service leads to: every address of every slice.
func routedTo(t *testing.T, p *testplane.Plane, namespace string) string {
	t.Helper()
	code, body := p.Do(t, http.MethodGet, "/apis/discovery.k8s.io/v1/namespaces/"+namespace+"/endpointslices?labelSelector=kubernetes.io/service-name=radio", nil)
	var list struct {
		Items []struct {
			Endpoints []struct{ Addresses []string }
		}
	}
	if err := json.Unmarshal(body, &list); code != http.StatusOK || err != nil {
		t.Fatalf("%d %s", code, body)
	}
	var all []string
	for _, item := range list.Items {
		for _, e := range item.Endpoints {
			all = append(all, e.Addresses...)
		}
	}
	return strings.Join(all, " ")
}

func (k *process) routing(t *testing.T) (r *struct {
	Route, Service, LastError string
	Slices                    []struct {
		Name, Term string
		Addresses  []string
		Mine       bool
	}
}) {
	t.Helper()
	_, body := k.get("/status")
	if err := json.Unmarshal([]byte(body), &struct{ Routing any }{&r}); err != nil {
		t.Fatal(err)
	}
	return r
}

const sliceFlags = "--route=endpointslice --service=radio"

func TestTheSliceFollowsTheLeadAndTheLastOneTakesItsAddressAway(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	makeService(t, p, ns, `{"ports":[{"port":80,"targetPort":8080}]}`)
	join := func(pod, ip, more string) *process {
		c := testplane.Candidate{Namespace: ns, Pod: pod, Election: "music", Service: "radio"}
		return execute(t, c, podAt(t, p, c, ip), strings.Fields(sliceFlags+" "+more))
	}
	a := join("a", "10.1.0.1", "--new-lock=immediate")
	eventually(t, "the Service leading to a", func() bool { return routedTo(t, p, ns) == "10.1.0.1" })
	eventually(t, "a saying so", func() bool {
		r := a.routing(t)
		return r != nil && r.LastError == "" && len(r.Slices) == 1 && r.Slices[0].Mine && r.Slices[0].Term == *a.status(t).Term
	})
	b := join("b", "10.1.0.2", "")
	eventually(t, "b being able to take over", func() bool { code, _ := b.get("/standby"); return code == http.StatusOK })
	a.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, "the Service leading to b", func() bool {
		to := routedTo(t, p, ns)
		if to != "10.1.0.1" && to != "10.1.0.2" {
			t.Fatalf("the Service leads to %q", to)
		}
		return to == "10.1.0.2"
	})
	<-a.exited
	b.cmd.Process.Signal(syscall.SIGTERM)
	<-b.exited
	if to := routedTo(t, p, ns); to != "" {
		t.Errorf("after the last candidate the Service leads to %q", to)
	}
	for _, k := range []*process{a, b} {
		if code := k.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("%s exited with %d", k.name, code)
		}
	}
}

func TestWhatKeepsTheTrafficAwayIsToldByEveryCandidateAndEndsNobody(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	makeService(t, p, ns, `{"selector":{"app":"radio"},"ports":[{"port":80,"targetPort":8080}]}`)
	for i, pod := range []string{"a", "b"} {
		c := testplane.Candidate{Namespace: ns, Pod: pod, Election: "music", Service: "radio"}
		k := execute(t, c, podAt(t, p, c, fmt.Sprint("10.1.0.", i+1)), strings.Fields(sliceFlags+" --new-lock=immediate"))
		eventually(t, pod+" naming the selector", func() bool { return strings.Contains(k.routing(t).LastError, "has a selector") })
		if pod == "a" {
			eventually(t, "a leading all the same", k.leads)
		}
	}
}

func TestRoutingFlagsAreCheckedAtTheStart(t *testing.T) {
	claimed := inPod(t, jwt(podClaims))
	anonymous := inPod(t, "opaque")
	for _, c := range []struct {
		env  map[string]string
		args string
		want string
	}{
		{claimed, "--route=endpointslice", "--service is missing"},
		{claimed, "--route=cname", `--route="cname": write`},
		{claimed, "--service=radio", "no use without --route=endpointslice"},
		{claimed, sliceFlags + " --pod-ip=10.1.0", `--pod-ip="10.1.0": "10.1.0" is not an IP address`},
		{claimed, sliceFlags + " --pod-ip=10.1.0.1,10.1.0.2", "of one family"},
		{claimed, sliceFlags + " --pod-ip=127.0.0.1", "not an address that other nodes reach"},
		{claimed, "--route=endpointslice --service=Radio", "no name of a Service"},
		{claimed, sliceFlags, "give --pod-ip"},
		{anonymous, sliceFlags + " --pod-ip=10.1.0.1", "has no claim kubernetes.io/pod"},
		{map[string]string{}, sliceFlags + " --pod-ip=10.1.0.1 --server=http://127.0.0.1:1 --election-namespace=x", "works in a pod only"},
		{claimed, sliceFlags + " --pod-ip=10.1.0.1,fd00::1", ""},
		{map[string]string{"LEADER_ELECTOR_SERVICE_HOST": "10.0.0.9", "LEADER_ELECTOR_SERVICE_PORT": "80"}, "--server=http://127.0.0.1:1 --election-namespace=x", ""},
	} {
		env := of(c.env)
		o, err := parse(append([]string{"--election=music"}, strings.Fields(c.args)...), env)
		if err == nil {
			err = o.resolve(env)
		}
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v; want %q", c.args, err, c.want)
		}
	}
}

func TestTheLabelFollowsTheLead(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	role := func(pod string) string {
		_, body := p.Do(t, http.MethodGet, "/api/v1/namespaces/"+ns+"/pods/"+pod, nil)
		var meta struct {
			Metadata struct{ Labels map[string]string }
		}
		if err := json.Unmarshal(body, &meta); err != nil {
			t.Fatal(err)
		}
		return meta.Metadata.Labels["leader-elector.io/role"]
	}
	join := func(pod string) *process {
		c := testplane.Candidate{Namespace: ns, Pod: pod, Election: "music", Labels: true}
		return execute(t, c, podRoot(t, p, c), []string{"--new-lock=immediate", "--route=label"})
	}
	a := join("a")
	eventually(t, "a labelled leader", func() bool { return role("a") == "leader" })
	b := join("b")
	eventually(t, "b labelled standby", func() bool { return b.names("a") && role("b") == "standby" })
	if _, body := a.get("/status"); !strings.Contains(body, `"routing":{"route":"label","selector":"leader-elector.io/election=music"`) {
		t.Errorf("/status: %s", body)
	}
	a.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, "the label with b", func() bool { return role("a") == "standby" && role("b") == "leader" })
	<-a.exited
	b.cmd.Process.Kill()
	<-b.exited
	again := join("b")
	eventually(t, "b, which takes its lead again, labelled leader", func() bool { return again.leads() && role("b") == "leader" })
	a = join("a")
	again.cmd.Process.Kill()
	<-again.exited
	eventually(t, "a leading", a.leads)
	eventually(t, "a labelled leader, the dead b standby", func() bool { return role("a") == "leader" && role("b") == "standby" })
}
