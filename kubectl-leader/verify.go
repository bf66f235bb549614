package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	*factory
	podFlags
	lock   lockFlag
	output outputFlag
	target target
}

// verification is what verify prints.
type verification struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"` // Verification
	OK         bool            `json:"ok"`   // there is no problem; warnings there may be
	Election   election        `json:"election"`
	Findings   []finding       `json:"findings"`
	Candidates []candidateView `json:"candidates"`
}

func newVerifyCommand(f *factory) *cobra.Command {
	o := &verifyOptions{factory: f}
	cmd := &cobra.Command{
		Use:     "verify NAME",
		Aliases: []string{"check"},
		Short:   "Ask every candidate, and compare with the lock and the Service",
		Long: `Ask every candidate, and compare with the lock and the Service.

Each candidate's sidecar is asked for its /status through the API server's pod
proxy. It is a problem if two say that they lead, if nobody does, if the lock
names somebody else, if a candidate does not answer, is unfit or has other
settings, if nobody could take over, or if a Service that follows the lead does
not point to the leader alone.

What looks wrong is looked at again a second later: a hand-over under way is no
problem.

Exit codes: 0 no problem (warnings there may be), 1 a problem, or the election
could not be looked at, 2 wrong usage.`,
		Example: examples(`
# before maintenance: is there somebody to take over?
kubectl leader verify music

# in a script: the reasons of all problems
kubectl leader verify music -o json | jq -r '.findings[] | select(.severity == "problem") | .reason'

# a lock in another namespace than its pods, as of leader-elector:0.5
kubectl leader verify example -n default --pods-namespace=music`),
		ValidArgsFunction: f.complete,
	}
	o.lock.add(cmd)
	o.podFlags.add(cmd)
	o.output.add(cmd, "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if o.target, err = newTarget(cmd, args, o.lock); err != nil {
			return err
		}
		if err := errors.Join(o.output.check(cmd), o.podFlags.check(cmd)); err != nil {
			return err
		}
		return o.run(cmd.Context())
	}
	return cmd
}

// lookAgainIn is how long a hand-over may take to be no problem.
const lookAgainIn = time.Second

func (o *verifyOptions) run(ctx context.Context) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	s, err := look(ctx, c, o.target, o.podFlags)
	if err != nil {
		return err
	}
	found := s.findings(c.Now())
	if problems(found) > 0 && !has(found, twoLeaders) {
		select {
		case <-time.After(lookAgainIn):
		case <-ctx.Done():
			return ctx.Err()
		}
		if s, err = look(ctx, c, o.target, o.podFlags); err != nil {
			return err
		}
		found = s.findings(c.Now())
	}
	if err := o.print(c, s, found); err != nil {
		return err
	}
	if n := problems(found); n > 0 {
		return fmt.Errorf("%s/%s is not as it should be: %s", s.record.Namespace, s.record.Name, count(n, "problem"))
	}
	return nil
}

func (o *verifyOptions) print(c *cluster.Client, s *survey, found []finding) error {
	v := verification{
		APIVersion: apiVersion, Kind: "Verification", OK: problems(found) == 0,
		Election: newElection(&s.record, c.Now()), Findings: found, Candidates: s.views(),
	}
	if !o.output.text() {
		return o.output.object(o.Out, v)
	}
	if len(v.Candidates) > 0 {
		t := newTable(o.Out, &o.output, candidateColumns, 0, false)
		rows := make([][]any, len(v.Candidates))
		for i := range v.Candidates {
			rows[i] = v.Candidates[i].cells()
		}
		if err := t.print(rows...); err != nil {
			return err
		}
		fmt.Fprintln(o.Out)
	}
	for _, f := range found {
		fmt.Fprintf(o.Out, "%s %s: %s\n", f.Severity, f.Reason, strings.ReplaceAll(f.Message, "\n", "\n    "))
	}
	if !v.OK {
		return nil
	}
	_, err := fmt.Fprintln(o.Out, s.verdict())
	return err
}

// verdict is the sentence that is printed where all is well.
func (s *survey) verdict() string {
	term := ""
	if t := s.record.Term(); t != "" {
		term = " with term " + t
	}
	text := fmt.Sprintf("ok: %s leads%s, as the lock and %s say", s.record.Leader(), term, count(len(s.candidates), "candidate"))
	for _, service := range s.services {
		if service.Exclusive() {
			text += fmt.Sprintf("; the Service %s points to it alone", service.Name)
		}
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
