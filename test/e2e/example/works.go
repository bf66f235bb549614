package example

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/test/e2e/cluster"
)

// act is a line of an app's log: what it did, and when by its node's boot clock,
// which all nodes of this cluster share.
type act struct {
	pod  string
	term uint64
	at   float64
}

// log reads the acts that the pods have told.
func (r *run) log(ctx context.Context) (all []act, err error) {
	pods, err := r.pods(ctx)
	if err != nil {
		return nil, err
	}
	for _, pod := range pods {
		out, err := r.kubectl(ctx, "logs", pod, "-c", "app")
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(out) {
			a := act{pod: pod}
			var n int
			if _, err := fmt.Sscanf(line, "term %d act %d at %f", &a.term, &n, &a.at); err == nil {
				all = append(all, a)
			}
		}
	}
	slices.SortFunc(all, func(a, b act) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return int(a.term) - int(b.term)
	})
	return all, nil
}

// inOrder fails where a term acts after a higher one has.
func inOrder(all []act) error {
	for i := range all[min(1, len(all)):] {
		if a, b := all[i], all[i+1]; b.term < a.term {
			return fmt.Errorf("%s acts for term %d at %.2f, after %s has for term %d at %.2f", b.pod, b.term, b.at, a.pod, a.term, a.at)
		}
	}
	return nil
}

// acts waits until the leader acts for a term of its own, and sees that nobody
// acts for an older one after that.
func acts(ctx context.Context, r *run, leader string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var broken error
	err := cluster.Until(ctx, 300*time.Millisecond, func(ctx context.Context) error {
		all, err := r.log(ctx)
		if err != nil {
			return err
		}
		if broken = inOrder(all); broken != nil {
			return nil // it will not get better
		}
		if len(all) == 0 {
			return errors.New("nobody acts")
		}
		last := all[len(all)-1]
		if last.pod != leader || last.term <= r.term {
			return fmt.Errorf("%s leads, and %s acted last, for term %d", leader, last.pod, last.term)
		}
		r.term = last.term
		return nil
	})
	return errors.Join(err, broken)
}

// moveWorker hands over from within the app's container, whose image has
// nothing but the worker: the program is in the shared volume.
func moveWorker(ctx context.Context, r *run, leader string) error {
	const program = "/leader-elector/leader-elector"
	if said, err := r.kubectl(ctx, "exec", leader, "-c", "app", "--", program, "probe", "leader"); err != nil {
		return fmt.Errorf("the leader's probe: %w %s", err, said)
	}
	if _, err := r.kubectl(ctx, "exec", leader, "-c", "app", "--", "/bin/sh", "-c", "true"); err == nil {
		return errors.New("the worker's image has a shell, so it shows nothing")
	}
	said, err := r.kubectl(ctx, "exec", leader, "-c", "app", "--", program, "step-down", "--wait")
	if err != nil {
		return fmt.Errorf("%w %s", err, said)
	}
	if _, err := r.kubectl(ctx, "exec", leader, "-c", "app", "--", program, "probe", "leader"); err == nil {
		return errors.New("the probe of the old leader still says that it leads")
	}
	return nil
}

// serves waits until the Service's one address is the leader's, and asks it.
func serves(ctx context.Context, r *run, leader string) error {
	if err := r.leadsTo(ctx, leader); err != nil {
		return err
	}
	return r.curl(ctx, "--fail", "--max-time", "5", "--retry", "3", "--retry-all-errors").Run()
}

// leadsTo waits until the Service's one address is the leader's.
func (r *run) leadsTo(ctx context.Context, leader string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return cluster.Until(ctx, 200*time.Millisecond, func(ctx context.Context) error {
		ip, err := r.kubectl(ctx, "get", "pod", leader, "-o", "jsonpath={.status.podIP}")
		if err != nil {
			return err
		}
		ends, err := r.kubectl(ctx, "get", "endpointslices", "-l", "kubernetes.io/service-name="+r.service(), "-o", "jsonpath={.items[*].endpoints[*].addresses[*]}")
		if err == nil && ends != ip {
			err = fmt.Errorf("the Service leads to %q, and the leader %s has %s", ends, leader, ip)
		}
		return err
	})
}

// curl asks the example's Service from a node.
func (r *run) curl(ctx context.Context, args ...string) *exec.Cmd {
	address, err := r.kubectl(ctx, "get", "service", r.service(), "-o", "jsonpath={.spec.clusterIP}")
	if err != nil {
		address = "no-address"
	}
	return r.c.Node("a").Command(ctx, "curl", append(append([]string{"--silent"}, args...), "http://"+address+"/")...)
}

// stream is what one client hears.
type stream struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

// term reads one frame.
func (s *stream) term() (term uint64, err error) {
	if !s.lines.Scan() {
		return 0, errors.New("the stream has ended")
	}
	var frame int
	_, err = fmt.Sscanf(s.lines.Text(), "term %d, frame %d", &term, &frame)
	return term, err
}

// streams waits until a new client gets frames of a newer term.
func streams(ctx context.Context, r *run, leader string) error {
	if err := r.leadsTo(ctx, leader); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return cluster.Until(ctx, 100*time.Millisecond, func(ctx context.Context) error {
		cmd := r.curl(context.WithoutCancel(ctx), "--no-buffer", "--max-time", "60")
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		s := &stream{cmd, bufio.NewScanner(out)}
		term, err := s.term()
		if err != nil || term <= r.term {
			cmd.Process.Kill()
			cmd.Wait()
			return fmt.Errorf("a client hears term %d after %d: %w", term, r.term, err)
		}
		r.stream, r.term = s, term
		return nil
	})
}

// moveStream hands over while a client holds a stream, which has to end.
func moveStream(ctx context.Context, r *run, leader string) error {
	held := r.stream
	defer held.cmd.Wait()
	defer held.cmd.Process.Kill()
	if _, err := held.term(); err != nil {
		return fmt.Errorf("the client's stream before the hand-over: %w", err)
	}
	if said, err := r.kubectl(ctx, "exec", leader, "-c", "leader-elector", "--", "/leader-elector", "step-down", "--wait"); err != nil {
		return fmt.Errorf("%w %s", err, said)
	}
	for {
		term, err := held.term()
		if err != nil {
			break // it has ended
		}
		if term != r.term {
			return fmt.Errorf("the held stream goes on in term %d", term)
		}
	}
	if err := held.cmd.Wait(); err != nil {
		return fmt.Errorf("the held stream did not end as a whole answer does: %w", err)
	}
	return nil
}

// completes waits for the Job, whose pods acted one after the other.
func completes(ctx context.Context, r *run, _ string) error {
	if _, err := r.kubectl(ctx, "wait", "job/import", "--for=condition=Complete", "--timeout=100s"); err != nil {
		return err
	}
	all, err := r.log(ctx)
	if err != nil {
		return err
	}
	terms := map[uint64]int{}
	for _, a := range all {
		terms[a.term]++
	}
	if len(terms) != 3 || len(all) != 60 {
		return fmt.Errorf("three pods acted %d times in the terms %v, want 60 in three", len(all), terms)
	}
	return inOrder(all)
}
