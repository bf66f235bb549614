package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// question is a subcommand that asks the sidecar of this pod.
type question struct {
	command string
	http    string
	timeout time.Duration
	to      string
	wait    bool
	output  string
	about   string // what a probe asks
	help    bool
}

var questionHeads = map[string]string{
	"step-down": `leader-elector step-down hands the lead over, if the sidecar of this pod has it.

Usage:
  leader-elector step-down [--to=POD] [--wait] [--timeout=DURATION] [--http=ADDRESS]

The lead is offered to a candidate. If it accepts, the lock is released for it;
if nobody accepts within a second, this pod goes on leading.
`,
	"status": `leader-elector status prints what the sidecar of this pod says of its election.

Usage:
  leader-elector status [-o json] [--timeout=DURATION] [--http=ADDRESS]
`,
	"probe": `leader-elector probe asks the sidecar of this pod, for probes in images without a shell or curl.

Usage:
  leader-elector probe leader|standby|ready [--timeout=DURATION] [--http=ADDRESS]

  leader   does this pod lead now?
  standby  does it stand by, and could it take over?
  ready    were the rights checked, and was the lock read once?
`,
}

var questionTails = map[string]string{
	"step-down": `
As the preStop hook of a native sidecar: [/leader-elector, step-down, --wait].

Exit codes: 0 it was handed over, or (without --to) there was nothing to hand
over: this pod does not lead, or the election is paused. 1 it was not handed
over, or the sidecar did not answer. 2 wrong usage.
`,
	"status": `
Exit codes: 0 done, 1 the sidecar did not answer, 2 wrong usage.
`,
	"probe": `
Exit codes: 0 yes, 1 no (the reason is on stderr), or the sidecar did not answer,
2 wrong usage.
`,
}

func (q *question) flags() *pflag.FlagSet {
	f := pflag.NewFlagSet(q.command, pflag.ContinueOnError)
	f.SortFlags = false
	f.Usage = func() {}
	switch q.command {
	case "step-down":
		f.StringVar(&q.to, "to", "", "`POD` to hand over to, by its name in the election (default: anybody)")
		f.BoolVar(&q.wait, "wait", false, "return only when the sidecar sees somebody else leading")
		f.DurationVar(&q.timeout, "timeout", 10*time.Second, "`DURATION` to wait for all of it; less than the pod's terminationGracePeriodSeconds")
	case "status":
		f.StringVarP(&q.output, "output", "o", "text", "`FORMAT` of the answer: text or json")
		f.DurationVar(&q.timeout, "timeout", 5*time.Second, "`DURATION` to wait for the answer")
	case "probe":
		f.DurationVar(&q.timeout, "timeout", time.Second, "`DURATION` to wait for the answer; not more than the probe's timeoutSeconds")
	}
	f.StringVar(&q.http, "http", ":4040", "`ADDRESS` that the sidecar answers on, as its own --http says; also "+twin("http"))
	f.BoolVarP(&q.help, "help", "h", false, "print this manual")
	return f
}

func (q *question) manual() string {
	var b strings.Builder
	b.WriteString(questionHeads[q.command] + "\nFlags:\n")
	q.flags().VisitAll(func(f *pflag.Flag) {
		fmt.Fprintf(&b, "  %s\n", spelling(f))
		for _, line := range wrap(description(f), 72) {
			fmt.Fprintf(&b, "      %s\n", line)
		}
	})
	b.WriteString(questionTails[q.command])
	return b.String()
}

// ask is a subcommand from its arguments to its exit code.
func ask(ctx context.Context, command string, args []string, env lookup, stdout, stderr io.Writer) int {
	q := &question{command: command}
	if err := q.parse(args, env); err != nil {
		fmt.Fprintf(stderr, "leader-elector %s: %v\nTry 'leader-elector %s --help'.\n", command, indent(err), command)
		return exitUsage
	}
	if q.help {
		fmt.Fprint(stdout, (&question{command: command}).manual())
		return exitDone
	}
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	do := map[string]func(context.Context, io.Writer) error{"step-down": q.stepDown, "status": q.status, "probe": q.probe}[command]
	if err := do(ctx, stdout); err != nil {
		fmt.Fprintf(stderr, "leader-elector %s: %v\n", command, err)
		return exitFailed
	}
	return exitDone
}

// parse reads the arguments. Only --http has a twin in the environment: it is
// the sidecar's own, in the sidecar's own container.
func (q *question) parse(args []string, env lookup) error {
	f := q.flags()
	if err := f.Parse(args); err != nil {
		return mend(err, args)
	}
	if q.help {
		return nil
	}
	source := "--http"
	if value, ok := env(twin("http")); ok && !f.Changed("http") {
		q.http, source = value, "the variable "+twin("http")
	}
	var faults []error
	left := f.Args()
	if q.command == "probe" {
		if len(left) == 0 || probes[left[0]] == "" {
			faults = append(faults, fmt.Errorf("%q: write probe leader, probe standby or probe ready", strings.Join(append([]string{"probe"}, left...), " ")))
		} else {
			q.about = left[0]
		}
		left = left[min(1, len(left)):]
	}
	if len(left) > 0 {
		faults = append(faults, fmt.Errorf("%q is left over; a flag is written --name=value", strings.Join(left, " ")))
	}
	if q.http == "" {
		faults = append(faults, fmt.Errorf("%s is empty, so the sidecar answers nobody", source))
	} else if why := badAddress(q.http); why != "" {
		faults = append(faults, fmt.Errorf("%s=%q is no address: %s", source, q.http, why))
	}
	if q.timeout <= 0 {
		faults = append(faults, fmt.Errorf("--timeout=%v must be positive", q.timeout))
	}
	if q.command == "status" && q.output != "text" && q.output != "json" {
		faults = append(faults, fmt.Errorf("--output=%q: write text or json", q.output))
	}
	return errors.Join(faults...)
}

// targets are the addresses to try: where the sidecar listens on all, its
// loopback ones.
func (q *question) targets() []string {
	host, port, _ := net.SplitHostPort(q.http) // badAddress has looked at it
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		return []string{net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port)}
	}
	return []string{q.http}
}

// reply is what the sidecar answered.
type reply struct {
	code int
	kind string // its Content-Type
	body []byte
}

func (r *reply) isJSON() bool { return strings.HasPrefix(r.kind, "application/json") }

// said is the beginning of what it says, for people.
func (r *reply) said() string { return strings.TrimSpace(string(r.body[:min(len(r.body), 200)])) }

// exchange asks the sidecar. No proxy is asked: it would ask from elsewhere.
func (q *question) exchange(ctx context.Context, method, path, body string) (*reply, error) {
	client := &http.Client{
		Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true, DialContext: q.dial},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	// The sidecar is asked by an address, whatever name it listens on.
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, q.silence(ctx, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, q.silence(ctx, err)
	}
	return &reply{resp.StatusCode, resp.Header.Get("Content-Type"), data}, nil
}

// send asks the sidecar and reads its JSON.
func (q *question) send(ctx context.Context, method, path, body string, into any) error {
	r, err := q.exchange(ctx, method, path, body)
	if err != nil {
		return err
	}
	if !r.isJSON() {
		if r.code == http.StatusForbidden || r.code == http.StatusBadRequest {
			return fmt.Errorf("the sidecar on %s refuses: %s", q.http, r.said())
		}
		return q.stranger(method, path, fmt.Sprintf("%d %q", r.code, r.said()))
	}
	if raw, ok := into.(*json.RawMessage); ok {
		*raw = r.body
		return nil
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		return fmt.Errorf("the answer of the sidecar on %s cannot be read: %w", q.http, err)
	}
	return nil
}

// stranger is the fault that somebody else answers.
func (q *question) stranger(method, path, answer string) error {
	path, _, _ = strings.Cut(path, "?")
	return fmt.Errorf("%s %s on %s is answered by %s: that is no leader-elector, or one that is older than this program", method, path, q.http, answer)
}

func (q *question) dial(ctx context.Context, network, _ string) (conn net.Conn, err error) {
	var first error
	for _, target := range q.targets() {
		if conn, err = new(net.Dialer).DialContext(ctx, network, target); err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// silence says why there is no answer.
func (q *question) silence(ctx context.Context, err error) error {
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Errorf("nobody answers on %s: is the sidecar running? --http (or %s) says where it listens: %w", q.http, twin("http"), dial)
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && q.command == "step-down":
		return fmt.Errorf("the sidecar on %s has not answered within %v; a hand-over that it has begun goes on", q.http, q.timeout)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("the sidecar on %s has not answered within %v", q.http, q.timeout)
	}
	return fmt.Errorf("the sidecar on %s: %w", q.http, err)
}

func jsonText(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(data)
}

// status prints what /status says.
func (q *question) status(ctx context.Context, stdout io.Writer) error {
	var raw json.RawMessage
	if err := q.send(ctx, http.MethodGet, "/status", "", &raw); err != nil {
		return err
	}
	if q.output == "json" {
		var b bytes.Buffer
		if err := json.Indent(&b, raw, "", "  "); err != nil {
			return fmt.Errorf("the answer of the sidecar on %s is no JSON: %w", q.http, err)
		}
		fmt.Fprintln(stdout, b.String())
		return nil
	}
	return q.tell(raw, stdout)
}
