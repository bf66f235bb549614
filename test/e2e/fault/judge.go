package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/test/e2e/cluster"
	"github.com/leader-elector/leader-elector/test/e2e/listener"
)

// judge ends the ears and holds what they heard, and what kubectl shows,
// against what is promised. Silence is reported, not judged.
func (t *Trial) judge(ctx context.Context, f Fault, r Result) Result {
	problem := func(format string, args ...any) {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
	if err := t.shown(ctx); err != nil {
		problem("%v", err)
	}
	var answers []listener.Record
	for name, ear := range t.asks {
		records, err := ear.Stop()
		if err != nil {
			problem("the ear on node %s: %v", name, err)
		}
		answers = append(answers, records...)
	}
	mended := t.mended
	if f.Mend == nil {
		mended = time.Time{}
	}
	r.Lead = listener.Reign(answers, t.begun, mended, t.Leader.Name())
	if r.Lead.Two != "" {
		problem("two pods led: %s", r.Lead.Two)
	}
	if t.routing != nil {
		r.Moves = t.routing.Moves()
		for _, two := range t.routing.Two() {
			problem("two targets at once in the API, %s", two)
		}
	}
	if f.Lost && t.AllReady() && r.Heard.Stray > 0 {
		problem("%d requests failed or went to the lost node after the takeover, the last %v after it", r.Heard.Stray, r.Heard.Astray)
	}
	if f.Outage {
		if err := t.unharmed(ctx); err != nil {
			problem("%v", err)
		}
	}
	r.Notes = t.Notes
	return r
}

// shown checks what kubectl shows against what the article shows. The kubelet
// of a node that came back may still be telling what it found.
func (t *Trial) shown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return cluster.Until(ctx, time.Second, func(ctx context.Context) error {
		ready, replicas, err := t.Columns(ctx)
		if err != nil {
			return err
		}
		slices.Sort(ready)
		wantReady, wantReplicas := []string{"1/2", "2/2"}, "2 2 1"
		if t.AllReady() {
			wantReady, wantReplicas = []string{"2/2", "2/2"}, "2 2 2"
		}
		if !slices.Equal(ready, wantReady) || replicas != wantReplicas {
			return fmt.Errorf("kubectl shows READY %v and the ReplicaSet %q, in place of %v and %s", ready, replicas, wantReady, wantReplicas)
		}
		if t.AllReady() {
			return t.available(ctx)
		}
		return nil
	})
}

// available checks that the Deployment is so for all who ask kubectl or helm.
func (t *Trial) available(ctx context.Context) error {
	said, err := t.Cluster.Kubectl(ctx, "rollout", "status", "deployment/"+t.Deployment, "--namespace="+t.Namespace, "--watch=false")
	if err == nil && !strings.Contains(said, "successfully rolled out") {
		err = errors.New("kubectl rollout status: " + strings.TrimSpace(said))
	}
	return err
}

// unharmed checks that no sidecar ended.
func (t *Trial) unharmed(ctx context.Context) error {
	pods, err := t.Pods(ctx)
	if err != nil {
		return err
	}
	for _, p := range pods {
		now, err := p.Container(t.Sidecar)
		if err != nil {
			return err
		}
		if was, ok := t.before[p.Name()]; !ok || was.ContainerID != now.ContainerID {
			return fmt.Errorf("the sidecar of %s ended during an outage of the API", p.Name())
		}
	}
	return nil
}
