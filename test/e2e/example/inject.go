package example

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/test/e2e/cluster"
	"github.com/leader-elector/leader-elector/test/e2e/images"
	"github.com/leader-elector/leader-elector/test/e2e/listener"
	"github.com/leader-elector/leader-elector/test/e2e/workload"
)

// plain is the manifest that a user has before.
const plain = "deploy/examples/inject/nginx.yaml"

// pipe is what the documents show.
const pipe = "kubectl leader inject -f " + plain + " | kubectl apply -f -"

// injectFresh brings the manifest into an empty namespace.
func injectFresh(ctx context.Context, r *run, source string) error {
	if _, err := r.c.Kubectl(ctx, "create", "namespace", r.Name); err != nil {
		return err
	}
	if err := r.shell(ctx, source, "kubectl leader inject --dry-run=server -f "+plain+" >/dev/null"); err != nil {
		return err
	}
	return r.shell(ctx, source, pipe)
}

// injectLiving brings it to where its two pods serve already, and hears what
// that costs.
func injectLiving(ctx context.Context, r *run, source string) error {
	if _, err := r.c.Kubectl(ctx, "create", "namespace", r.Name); err != nil {
		return err
	}
	if err := r.shell(ctx, source, "kubectl create -f "+plain); err != nil {
		return err
	}
	if _, err := r.kubectl(ctx, "rollout", "status", r.Kind, "--timeout=60s"); err != nil {
		return err
	}
	background, stop := context.WithCancel(ctx)
	defer stop()
	w := &workload.Workload{Cluster: r.c, Form: workload.Form{Namespace: r.Name, Service: r.Service, Routing: workload.EndpointSlice}}
	routing, err := w.Watch(background)
	if err != nil {
		return err
	}
	ear, err := r.listen(ctx, w)
	if err != nil {
		return err
	}
	defer ear.Stop()
	begin := time.Now()
	if err := r.shell(ctx, source, pipe); err != nil {
		return err
	}
	if _, err := r.kubectl(ctx, "rollout", "status", r.Kind, "--timeout=120s"); err != nil {
		return err
	}
	end := time.Now()
	if err := moved(routing.Moves()); err != nil {
		return err
	}
	records, err := ear.Stop()
	if err != nil {
		return err
	}
	if err := alone(records, routing.Moves(), end); err != nil {
		return err
	}
	heard := listener.Hear(records, begin, end)
	fmt.Printf("a living Service is moved over: %d requests, %d failed, longest silence %v, in %.0f s; its addresses were %v\n",
		heard.Requests, heard.Failed, heard.Silence.Round(time.Millisecond), end.Sub(begin).Seconds(), targets(routing.Moves()))
	// A first leader that is waited for would be missed for ten seconds; a request
	// that this machine is too busy for is none of ours.
	if heard.Failed*100 > heard.Requests || heard.Silence > 3*time.Second {
		return fmt.Errorf("moving over, %d of %d requests fail, and the longest silence is %v", heard.Failed, heard.Requests, heard.Silence)
	}
	return nil
}

// uninject does what docs/inject.md says under Undo, word by word, and sees that
// both pods serve, as before.
func uninject(ctx context.Context, r *run, source string) error {
	text, err := os.ReadFile(filepath.Join(source, "docs", "inject.md"))
	if err != nil {
		return err
	}
	_, undo, _ := strings.Cut(string(text), "\n## Undo\n")
	_, undo, _ = strings.Cut(undo, "```sh\n")
	commands, _, found := strings.Cut(undo, "```\n")
	if !found {
		return errors.New("docs/inject.md has no block of shell under Undo")
	}
	if err := r.shell(ctx, source, commands); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return cluster.Until(ctx, 200*time.Millisecond, func(ctx context.Context) error {
		ends, err := r.kubectl(ctx, "get", "endpointslices", "-l", "kubernetes.io/service-name="+r.Service, "-o", "jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].addresses[*]}")
		if err == nil && len(strings.Fields(ends)) != 2 {
			err = fmt.Errorf("after the undo the Service leads to %q", ends)
		}
		return err
	})
}

// listen asks the Service 200 times a second, from a node.
func (r *run) listen(ctx context.Context, w *workload.Workload) (*listener.Ear, error) {
	address, err := w.Address(ctx)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ear, err := listener.Start(r.c.Node("a").Command(context.WithoutCancel(ctx), self, "listen", "http://"+address, (5 * time.Millisecond).String()))
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return ear, cluster.Until(within, 100*time.Millisecond, func(context.Context) error {
		pods := map[string]bool{}
		for _, rec := range ear.Records() {
			if rec.Stream == 0 && rec.Error == "" {
				pods[rec.Pod] = true
			}
		}
		if len(pods) != 2 {
			return fmt.Errorf("before, %d pods answer", len(pods))
		}
		return nil
	})
}

// moved sees that from the first instant with one address there was never
// another number of them.
func moved(moves []workload.Move) error {
	one := false
	for _, m := range moves {
		one = one || len(m.To) == 1
		if one && len(m.To) != 1 {
			return fmt.Errorf("after the switch the Service has the addresses %q; all in turn: %v", m.To, targets(moves))
		}
	}
	if !one {
		return errors.New("the Service never had one address")
	}
	return nil
}

// settle is how long kube-proxy may take to follow a change of addresses.
const settle = 2 * time.Second

// alone sees that whenever the Service has one address, one pod answers.
func alone(records []listener.Record, moves []workload.Move, end time.Time) error {
	for i, m := range moves {
		until := end
		if i+1 < len(moves) {
			until = moves[i+1].At
		}
		pods := map[string]bool{}
		for _, rec := range records {
			if len(m.To) == 1 && rec.Stream == 0 && rec.Error == "" && rec.Sent.After(m.At.Add(settle)) && rec.Done.Before(until) {
				pods[rec.Pod] = true
			}
		}
		if len(pods) > 1 {
			return fmt.Errorf("while the Service led to %q alone, %d pods answered", m.To, len(pods))
		}
	}
	return nil
}

func targets(moves []workload.Move) (all [][]string) {
	for _, m := range moves {
		all = append(all, m.To)
	}
	return all
}

// shell runs a line as a user types it, in the repository's folder, with the
// example's namespace as the present one.
func (r *run) shell(ctx context.Context, source, line string) error {
	dir := filepath.Join(r.c.Dir, "example-"+r.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := os.ReadFile(r.c.Plane.Kubeconfig())
	if err != nil {
		return err
	}
	config := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(config, data, 0o600); err != nil {
		return err
	}
	layout, err := images.Dir(cluster.Instance())
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", "kubectl config set-context --current --namespace="+r.Name+" >/dev/null; "+line)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "KUBECONFIG="+config, "PATH="+r.c.Programs()+":"+layout+":"+os.Getenv("PATH"))
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", line, err, said)
	}
	return nil
}
