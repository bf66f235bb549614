package fault

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/leader-elector/leader-elector/test/e2e/cluster"
	"github.com/leader-elector/leader-elector/test/e2e/workload"
)

// Fault is one way to break the leader.
type Fault struct {
	Name  string
	Title string
	// Prelude happens before the listener listens.
	Prelude func(context.Context, *Trial) error
	// Break breaks; its beginning is the instant from which all is measured.
	Break func(context.Context, *Trial) error
	// Watch is how long the listener hears it at least, before Mend; Short is
	// that where the traffic follows at once. Zero: as the other.
	Watch, Short time.Duration
	// Mend makes the cluster whole again. Nil: it mends itself.
	Mend func(context.Context, *Trial) error
	// Patience is how long it may take until all is well again.
	Patience time.Duration
	// Outage is true for faults that no sidecar may end from.
	Outage bool
	// Lost is true if the leader's node can no longer be reached: a request that
	// goes there after the takeover is one too many.
	Lost bool
	// Only names the forms in which it is tried, a letter each. Empty: all.
	Only string
	// Brief names those of a plain run.
	Brief string
}

// All are the faults, in the order in which they are tried.
var All = []Fault{
	{Name: "delete", Title: "`kubectl delete pod`", Break: deletePod, Watch: 15 * time.Second, Short: 6 * time.Second, Patience: time.Minute, Brief: "abcd"},
	{Name: "drain", Title: "`kubectl drain` of its node", Break: drain, Watch: 15 * time.Second, Short: 6 * time.Second, Mend: uncordon, Patience: time.Minute},
	{Name: "rollout", Title: "rolling update", Break: rollout, Watch: 15 * time.Second, Short: 6 * time.Second, Patience: time.Minute},
	{Name: "step-down", Title: "`leader-elector step-down`", Break: stepDown, Short: 5 * time.Second, Patience: time.Minute, Only: "cd", Brief: "c"},
	{Name: "switchover", Title: "switched by an annotation of the Lease", Break: switchover, Short: 5 * time.Second, Patience: time.Minute, Only: "cd"},
	{Name: "app-killed", Title: "app killed", Break: app(syscall.SIGKILL), Watch: 12 * time.Second, Short: 6 * time.Second, Patience: time.Minute, Brief: "abcd"},
	{Name: "app-frozen", Title: "app frozen", Break: app(syscall.SIGSTOP), Watch: 40 * time.Second, Short: 8 * time.Second, Mend: app(syscall.SIGCONT), Patience: time.Minute},
	{Name: "sidecar-killed", Title: "sidecar killed", Break: sidecar(syscall.SIGKILL), Watch: 15 * time.Second, Short: 6 * time.Second, Patience: time.Minute},
	{Name: "sidecar-frozen", Title: "sidecar frozen", Break: sidecar(syscall.SIGSTOP), Watch: 30 * time.Second, Short: 15 * time.Second, Mend: thaw, Patience: 2 * time.Minute},
	{Name: "pod-killed", Title: "whole pod killed at once", Break: killPod, Watch: 15 * time.Second, Short: 12 * time.Second, Patience: time.Minute},
	{Name: "cut", Title: "node cut off", Break: cut, Watch: 75 * time.Second, Short: 30 * time.Second, Mend: heal, Patience: time.Minute, Lost: true, Brief: "abcd"},
	{Name: "second-cut", Title: "second node cut off after the first healed", Prelude: cutAndHeal, Break: cut, Watch: 75 * time.Second, Short: 30 * time.Second, Mend: heal, Patience: time.Minute, Lost: true},
	{Name: "power", Title: "node's power pulled", Break: powerOff, Watch: 75 * time.Second, Short: 30 * time.Second, Mend: powerOn, Patience: 2 * time.Minute, Lost: true},
	{Name: "api-frozen", Title: "apiserver frozen for 60 s", Break: freezeAPI, Watch: time.Minute, Mend: thawAPI, Patience: time.Minute, Outage: true},
	{Name: "etcd-killed", Title: "etcd killed, restarted after 20 s", Break: killEtcd, Watch: 20 * time.Second, Mend: startEtcd, Patience: time.Minute, Outage: true},
	{Name: "move-over", Title: "moved over from readiness to EndpointSlice", Break: moveOver, Short: 5 * time.Second, Patience: time.Minute, Only: "m"},
}

// In says whether the fault is tried in a form.
func (f Fault) In(form string) bool {
	if f.Only == "" {
		return form != "m"
	}
	return strings.Contains(f.Only, form)
}

// watch is how long it is heard at least in a form.
func (f Fault) watch(form workload.Form) time.Duration {
	if f.Short > 0 && (form.AllReady() || f.Watch == 0) {
		return f.Short
	}
	return f.Watch
}

func deletePod(ctx context.Context, t *Trial) error {
	return t.Cluster.Plane.Do(ctx, http.MethodDelete, "/api/v1/namespaces/"+t.Namespace+"/pods/"+t.Leader.Name(), nil, nil)
}

func drain(ctx context.Context, t *Trial) error {
	_, err := t.Cluster.Kubectl(ctx, "drain", t.Node.Name, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=90s")
	return err
}

func uncordon(ctx context.Context, t *Trial) error {
	_, err := t.Cluster.Kubectl(ctx, "uncordon", t.Node.Name)
	return err
}

// stepDown is what an operator does who may exec.
func stepDown(ctx context.Context, t *Trial) error {
	_, err := t.Cluster.Kubectl(ctx, "exec", t.Leader.Name(), "--namespace="+t.Namespace, "--container="+t.Sidecar,
		"--", "/leader-elector", "step-down")
	return err
}

// switchover is what an operator does who may not.
func switchover(ctx context.Context, t *Trial) error {
	_, err := t.Cluster.Kubectl(ctx, "annotate", "lease", t.Election, "--namespace="+t.Namespace,
		"leader-elector.io/switchover-to="+t.Leader.Name()+"/")
	return err
}

// rollout restarts the Deployment.
func rollout(ctx context.Context, t *Trial) error {
	if !t.AllReady() {
		return stalled(ctx, t)
	}
	name, in := "deployment/"+t.Deployment, "--namespace="+t.Namespace
	if _, err := t.Cluster.Kubectl(ctx, "rollout", "restart", name, in); err != nil {
		return err
	}
	_, err := t.Cluster.Kubectl(ctx, "rollout", "status", name, in, "--timeout=90s")
	if err != nil {
		return fmt.Errorf("the roll-out does not end: %w", err)
	}
	wait(ctx, 3*time.Second)
	return nil
}

// stalled restarts the Deployment, shows that it stalls, and applies the remedy.
func stalled(ctx context.Context, t *Trial) error {
	name := "deployment/" + t.Deployment
	in := "--namespace=" + t.Namespace
	if _, err := t.Cluster.Kubectl(ctx, "rollout", "restart", name, in); err != nil {
		return err
	}
	wait(ctx, 30*time.Second)
	if t.replaced(ctx) == nil {
		t.Notes = append(t.Notes, "the roll-out went through by itself")
		return nil
	}
	t.Notes = append(t.Notes, "the roll-out stalls; the remedy is to end the old leader")
	// Where the strategy is the default, it must first be allowed to take a
	// pod away.
	if _, err := t.Cluster.Kubectl(ctx, "patch", name, in, "--patch",
		`{"spec":{"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":1}}}}`); err != nil {
		return err
	}
	wait(ctx, 10*time.Second)
	if err := deletePod(ctx, t); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := cluster.Until(ctx, 250*time.Millisecond, t.replaced); err != nil {
		return fmt.Errorf("the remedy does not help: %w", err)
	}
	return nil
}

// replaced says which pod of before the fault is still there.
func (t *Trial) replaced(ctx context.Context) error {
	pods, err := t.Pods(ctx)
	if err != nil {
		return err
	}
	for _, p := range pods {
		if _, old := t.before[p.Name()]; old {
			return fmt.Errorf("the old pod %s is still there", p.Name())
		}
	}
	return nil
}

// app sends a signal to the leader's app.
func app(sig syscall.Signal) func(context.Context, *Trial) error {
	return func(_ context.Context, t *Trial) error { return t.signal(t.App, sig) }
}

// sidecar sends a signal to the leader's sidecar.
func sidecar(sig syscall.Signal) func(context.Context, *Trial) error {
	return func(_ context.Context, t *Trial) error { return t.signal(t.Sidecar, sig) }
}

func (t *Trial) signal(container string, sig syscall.Signal) error {
	c, err := t.Leader.Container(container)
	if err != nil {
		return err
	}
	return cluster.Signal(c.ID(), sig)
}

// thaw wakes the sidecar, unless the kubelet has replaced it already.
func thaw(_ context.Context, t *Trial) error {
	if err := t.signal(t.Sidecar, syscall.SIGCONT); err != nil {
		t.Notes = append(t.Notes, "the kubelet replaced the frozen sidecar")
	}
	return nil
}

func killPod(_ context.Context, t *Trial) error {
	c, err := t.Leader.Container(t.App)
	if err != nil {
		return err
	}
	return cluster.KillPod(c.ID())
}

func cut(ctx context.Context, t *Trial) error  { return t.Node.Cut(ctx) }
func heal(ctx context.Context, t *Trial) error { return t.Node.Heal(ctx) }

// cutAndHeal moves the lead by a first cut, so that the next one is the second.
func cutAndHeal(ctx context.Context, t *Trial) error {
	if err := t.steady(ctx, time.Minute); err != nil {
		return err
	}
	first := t.Leader.Name()
	if err := t.Node.Cut(ctx); err != nil {
		return err
	}
	wait(ctx, 20*time.Second)
	if err := t.Node.Heal(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if err := t.steady(ctx, time.Minute); err != nil {
		return err
	}
	if t.Leader.Name() == first {
		return fmt.Errorf("%s still leads after its node was cut off", first)
	}
	return nil
}

func powerOff(ctx context.Context, t *Trial) error { return t.Node.PowerOff(ctx) }

// powerOn waits until the node is back: until then the API shows its pods as
// they were when the power failed.
func powerOn(ctx context.Context, t *Trial) error {
	if err := t.Node.PowerOn(ctx); err != nil {
		return err
	}
	return t.Cluster.WaitNodes(ctx)
}

func freezeAPI(_ context.Context, t *Trial) error { return t.Cluster.Plane.APIServer.Pause() }
func thawAPI(_ context.Context, t *Trial) error   { return t.Cluster.Plane.APIServer.Resume() }

func killEtcd(_ context.Context, t *Trial) error { return t.Cluster.Plane.Etcd.Kill() }

func startEtcd(ctx context.Context, t *Trial) error {
	if err := t.Cluster.Plane.Etcd.Start(); err != nil {
		return err
	}
	return t.Cluster.Plane.WaitReady(ctx)
}
