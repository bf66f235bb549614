package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/leader-elector/leader-elector/kubectl-leader/candidate"
	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
	"github.com/leader-elector/leader-elector/kubectl-leader/record"
)

// switchoverOptions are the flags of switchover and step-down.
type switchoverOptions struct {
	*factory
	podFlags
	lock    lockFlag
	to      string
	force   bool
	wait    bool
	timeout time.Duration
	dryRun  string
	output  outputFlag
	target  target
}

// What came of a switchover.
const (
	outcomeAsked   = "Asked"   // the request is written; --wait would tell more
	outcomeMoved   = "Moved"   // somebody else leads
	outcomeAlready = "Already" // the one who was named led already
	outcomeRefused = "Refused" // the leader stays, or nothing was asked
	outcomeUnknown = "Unknown" // it was not seen in time
)

// switchover is what the commands print.
type switchover struct {
	APIVersion  string   `json:"apiVersion"`
	Kind        string   `json:"kind"` // Switchover
	Namespace   string   `json:"namespace"`
	Name        string   `json:"name"`
	From        string   `json:"from"`    // who led when it was asked
	To          string   `json:"to"`      // who was named; empty: anybody
	Outcome     string   `json:"outcome"` // one of the words above
	Leader      string   `json:"leader"`  // who leads now, as far as it was seen
	Term        string   `json:"term"`    // of that lead
	TookSeconds *float64 `json:"tookSeconds"`
	Reason      string   `json:"reason"` // why it was refused or is unknown
}

const aboutHandingOver = `The leader offers the lead, a fit candidate accepts, and only then the leader
stops and releases the lock. If nobody accepts within a second nothing has
happened: the leader leads on. So asking is safe at any time.

The request is an annotation of the lock (` + record.SwitchoverNote + `), which
the leader's next write removes. It takes the right to get and patch the lock;
with --wait also to watch it. Where the pods may be listed and asked (list pods,
get pods/proxy), what cannot succeed is refused before anybody is asked.`

func newSwitchoverCommand(f *factory) *cobra.Command {
	o := &switchoverOptions{factory: f}
	cmd := &cobra.Command{
		Use:     "switchover NAME [--to=POD]",
		Aliases: []string{"switch-over"},
		Short:   "Ask the leader to hand over, to a certain pod or to anybody",
		Long: `Ask the leader to hand over, to a certain pod or to anybody.

` + aboutHandingOver + `

Without --to it is the same as step-down.

Exit codes: 0 the request is written, or with --wait: somebody else leads (the
named one, with --to); 1 refused, or not seen in time; 2 wrong usage.`,
		Example: examples(`
# to anybody, and see it done
kubectl leader switchover music --wait

# to a certain pod
kubectl leader switchover music --to=music-7d9c5b6f4-x2x8k --wait --timeout=10s`),
		ValidArgsFunction: f.complete,
	}
	cmd.Flags().StringVar(&o.to, "to", "", "`POD` that is to lead: the candidate's name, which is its pod's unless --id says otherwise (default: anybody)")
	cmd.RegisterFlagCompletionFunc("to", o.completeTo)
	o.bind(cmd)
	return cmd
}

func newStepDownCommand(f *factory) *cobra.Command {
	o := &switchoverOptions{factory: f}
	cmd := &cobra.Command{
		Use:   "step-down NAME",
		Short: "Ask the leader to hand over to anybody",
		Long: `Ask the leader to hand over to anybody.

` + aboutHandingOver + `

It is the same as switchover without --to.

Exit codes: 0 the request is written, or with --wait: somebody else leads; 1
refused, or not seen in time; 2 wrong usage.`,
		Example:           examples("kubectl leader step-down music --wait"),
		ValidArgsFunction: f.complete,
	}
	o.bind(cmd)
	return cmd
}

func (o *switchoverOptions) bind(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.wait, "wait", false, "wait until somebody else leads, and say how long it took or why it did not come about")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "`DURATION` of --wait at most; a request that was not taken up by then is withdrawn")
	cmd.Flags().BoolVar(&o.force, "force", false, "ask even if it looks in vain: the candidates may know better")
	o.lock.add(cmd)
	o.podFlags.add(cmd)
	addDryRun(cmd, &o.dryRun)
	o.output.add(cmd, "json", "yaml", "name")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if o.target, err = newTarget(cmd, args, o.lock); err != nil {
			return err
		}
		if err := errors.Join(o.output.check(cmd), o.podFlags.check(cmd), checkDryRun(cmd, o.dryRun)); err != nil {
			return err
		}
		if o.timeout <= 0 {
			return usage(cmd, fmt.Errorf("--timeout=%v is not above 0", o.timeout))
		}
		if strings.Contains(o.to, "/") {
			word, name, _ := strings.Cut(o.to, "/")
			if word != "pod" && word != "pods" {
				return usage(cmd, fmt.Errorf("--to=%s is no pod's name", o.to))
			}
			o.to = name
		}
		return o.run(cmd.Context())
	}
}

func (o *switchoverOptions) run(ctx context.Context) error {
	c, err := o.client()
	if err != nil {
		return err
	}
	r, err := o.target.find(ctx, c)
	if err != nil {
		return err
	}
	s := &switchover{
		APIVersion: apiVersion, Kind: "Switchover", Namespace: r.Namespace, Name: r.Name,
		From: r.Leader(), To: o.to, Leader: r.Leader(), Term: r.Term(),
	}
	candidates := o.candidates(ctx, c, &r)
	if err := o.resolve(s, candidates); err != nil {
		return o.refuse(s, err)
	}
	if s.To != "" && s.To == s.From {
		s.Outcome = outcomeAlready
		return o.print(&r, s, s.From+" leads already")
	}
	if why := inVain(&r, s, candidates); why != nil {
		if !o.force || r.Leader() == "" {
			return o.refuse(s, why)
		}
		fmt.Fprintf(o.ErrOut, "warning: %v\n", why)
	}
	return o.ask(ctx, c, r, s)
}

// candidates are those that can be found and asked; where that is not allowed
// there are none, and the leader finds out by itself.
func (o *switchoverOptions) candidates(ctx context.Context, c *cluster.Client, r *record.Record) []*candidate.Candidate {
	all, err := candidate.Find(ctx, c, o.podFlags.scope(r))
	if err != nil {
		fmt.Fprintf(o.ErrOut, "note: the candidates are not known before they are asked to take over: %v\n", firstLine(err))
		return nil
	}
	candidate.Ask(ctx, c, all)
	return all
}

// resolve makes the candidate's name of --to, which may be that of its pod.
func (o *switchoverOptions) resolve(s *switchover, all []*candidate.Candidate) error {
	if s.To == "" || len(all) == 0 {
		return nil
	}
	var names []string
	for _, k := range all {
		if k.Name() == s.To {
			return nil
		}
		names = append(names, k.Name())
	}
	for _, k := range all {
		if k.Pod.Name == s.To {
			s.To = k.Name()
			return nil
		}
	}
	if o.force {
		return nil
	}
	return fmt.Errorf("%q is none of the candidates (%s); --force asks all the same", s.To, strings.Join(names, ", "))
}

// inVain says why asking would come to nothing, as far as it can be known.
func inVain(r *record.Record, s *switchover, all []*candidate.Candidate) error {
	switch {
	case r.Malformed != "":
		return fmt.Errorf("the lock cannot be read: %s", r.Malformed)
	case r.Leader() == "":
		return errors.New("nobody leads, so there is nothing to hand over")
	case r.Foreign():
		return fmt.Errorf("%s leads, which is not leader-elector: it does not heed a request; delete its pod instead", r.Leader())
	case r.Paused:
		return fmt.Errorf("the election is paused (%s): kubectl leader resume %s -n %s", r.PausedBy, r.Name, r.Namespace)
	}
	var reasons []string
	for _, k := range all {
		switch {
		case k.Name() == s.From, s.To != "" && k.Name() != s.To:
			continue
		case k.Answer == nil:
			return nil // it may be fit; who is asked will know
		case k.Answer.CanTakeOver:
			return nil
		}
		v := newCandidateView(k)
		reasons = append(reasons, fmt.Sprintf("%s is %s (%s)", k.Name(), v.Role, orDash(v.Message)))
	}
	switch {
	case len(reasons) > 0:
		return fmt.Errorf("nobody could take over: %s", strings.Join(reasons, "; "))
	case len(all) > 0 && s.To == "":
		return fmt.Errorf("nobody could take over: %s is the only candidate", s.From)
	}
	return nil
}

// ask writes the request, and waits for what comes of it if that is wanted.
func (o *switchoverOptions) ask(ctx context.Context, c *cluster.Client, r record.Record, s *switchover) error {
	var w *waiter
	if o.wait && o.dryRun == "none" {
		w = newWaiter(c, &r, s, o.progress())
		defer w.stop()
	}
	for try := 0; ; try++ {
		asked := time.Now()
		after, err := annotate(ctx, c, r, map[string]any{record.SwitchoverNote: s.From + "/" + s.To}, o.dryRun)
		if err == nil {
			if w == nil {
				s.Outcome = outcomeAsked
				return o.print(&after, s, fmt.Sprintf("%s is asked to hand over to %s%s", s.From, anybody(s.To), dryRunNote(o.dryRun)))
			}
			return o.await(ctx, w, after, s, asked)
		}
		if !apierrors.IsConflict(err) || try == maxConflicts {
			return err
		}
		if r, err = o.target.find(ctx, c); err != nil {
			return err
		}
		if r.Leader() != s.From {
			s.Leader, s.Term = r.Leader(), r.Term()
			return o.refuse(s, fmt.Errorf("the lead has moved from %s to %s meanwhile, and nothing was asked", s.From, orDash(r.Leader())))
		}
	}
}

// progress is where the steps are told.
func (o *switchoverOptions) progress() io.Writer {
	if o.output.text() {
		return o.Out
	}
	return o.ErrOut
}

func (o *switchoverOptions) refuse(s *switchover, why error) error {
	s.Outcome, s.Reason = outcomeRefused, why.Error()
	if !o.output.text() && o.output.value != "name" {
		if err := o.output.object(o.Out, s); err != nil {
			return err
		}
	}
	return why
}

func (o *switchoverOptions) print(r *record.Record, s *switchover, what string) error {
	e := election{Name: r.Name, Lock: string(r.Kind)}
	switch {
	case o.output.value == "name":
		_, err := fmt.Fprintln(o.Out, e.ref())
		return err
	case !o.output.text():
		return o.output.object(o.Out, s)
	}
	_, err := fmt.Fprintf(o.Out, "%s: %s\n", e.ref(), what)
	return err
}

// completeTo offers the names of the candidates.
func (o *switchoverOptions) completeTo(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	c, err := o.client()
	if err != nil || len(args) != 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ns := o.podFlags.namespace
	if ns == "" {
		ns = c.Namespace
	}
	all, err := candidate.Find(cmd.Context(), c, candidate.Scope{Namespace: ns, Election: args[0]})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, k := range all {
		names = append(names, k.Name())
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
