package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/kubectl-leader/candidate"
)

// finding is something that verify found.
type finding struct {
	Severity string `json:"severity"` // problem or warning
	Reason   string `json:"reason"`   // one of the words below; scripts may rely on it
	Message  string `json:"message"`
}

const (
	problem = "problem"
	warning = "warning"
)

// The reasons.
const (
	cannotRead     = "CannotRead"     // something could not be read, mostly for want of a right
	lockUnreadable = "LockUnreadable" // what the lock says cannot be read
	nobodyLeads    = "NobodyLeads"
	leaseExpired   = "LeaseExpired"   // the holder has not renewed for the length of its lease
	twoLeaders     = "TwoLeaders"     // two candidates say that they lead
	lockDisagrees  = "LockDisagrees"  // the lock names another than the one that says that it leads
	leaderDenies   = "LeaderDenies"   // the lock's holder says that it does not lead
	leaderUnknown  = "LeaderUnknown"  // the lock's holder is none of the candidates
	foreignLeader  = "ForeignLeader"  // client-go or 0.5 leads
	termDiffers    = "TermDiffers"    // the leader has another term than the lock
	noCandidates   = "NoCandidates"   // no pod of the election was found
	noAnswer       = "NoAnswer"       // a candidate did not answer
	oldCandidate   = "OldCandidate"   // it is leader-elector:0.5
	unfit          = "Unfit"          // its app is not fit to lead
	notReady       = "NotReady"       // it lacks a right, or has not read the lock
	hasTrouble     = "HasTrouble"     // it says that something is wrong
	otherElection  = "OtherElection"  // it competes for another lock
	settingsDiffer = "SettingsDiffer" // candidates have different settings
	versionsDiffer = "VersionsDiffer"
	sameName       = "SameName"  // two candidates have one name
	noStandby      = "NoStandby" // nobody could take over
	notRouted      = "NotRouted" // a Service does not point to the leader alone
	paused         = "Paused"
	asked          = "SwitchoverAsked" // a request that no leader has taken up
)

// findings compares everything with everything.
func (s *survey) findings(now time.Time) []finding {
	found := []finding{}
	add := func(severity, reason, format string, args ...any) {
		found = append(found, finding{severity, reason, fmt.Sprintf(format, args...)})
	}
	for _, err := range s.trouble {
		add(problem, cannotRead, "%v", err)
	}
	s.findLead(now, add)
	for _, k := range s.candidates {
		if !k.Ending() {
			findCandidate(k, s, add)
		}
	}
	s.findStandby(add)
	s.findSettings(add)
	s.findTraffic(add)
	s.findWishes(add)
	return found
}

type adder func(severity, reason, format string, args ...any)

// findLead judges who leads.
func (s *survey) findLead(now time.Time, add adder) {
	r := &s.record
	var claim []string
	for _, k := range s.candidates {
		if k.Leads() {
			claim = append(claim, k.Name())
		}
	}
	if len(claim) > 1 {
		add(problem, twoLeaders, "%s say at the same time that they lead", strings.Join(claim, " and "))
	}
	leader := s.leader()
	switch {
	case r.Version == 0 && len(claim) == 0:
		add(problem, nobodyLeads, "nobody leads: there is no lock yet, as no candidate has been fit to lead, or none reaches the API server")
	case r.Malformed != "":
		add(problem, lockUnreadable, "the lock cannot be read: %s", r.Malformed)
	case r.Leader() == "" && len(claim) > 0:
		add(problem, lockDisagrees, "%s says that it leads, and the lock names nobody", claim[0])
	case r.Leader() == "":
		add(problem, nobodyLeads, "nobody leads: the lock names nobody%s", map[bool]string{true: ", and while it is paused nobody may take it"}[r.Paused])
	case r.Foreign() && leader == nil:
		add(warning, foreignLeader, "%s leads, which is not leader-elector (client-go's leaderelection, or 0.5): it has no term and cannot be asked", r.Leader())
	case leader == nil && len(s.candidates) > 0:
		add(problem, leaderUnknown, "the lock names %s, which is none of the candidates (%s)", r.Leader(), s.names())
	case leader != nil && leader.Answer != nil && !leader.Leads() && len(claim) > 0:
		add(problem, lockDisagrees, "%s says that it leads, and the lock names %s", claim[0], r.Leader())
	case leader != nil && leader.Answer != nil && !leader.Leads():
		add(problem, leaderDenies, "nobody leads: the lock names %s, which says that it does not lead (%s)", r.Leader(), orDash(leader.Answer.Waiting))
	}
	if leader != nil && leader.Leads() {
		if term := leader.Answer.Term; term == nil || *term != r.Term() {
			add(problem, termDiffers, "%s leads with term %s, and the lock says %s", r.Leader(), orDash(text(term)), orDash(r.Term()))
		}
		return
	}
	if status(r, now) == statusExpired {
		add(problem, leaseExpired, "%s has not renewed for %v, and its lease is %v long", r.Leader(), now.Sub(r.Renewed).Round(time.Second), r.Duration)
	}
}

// findCandidate judges one.
func findCandidate(k *candidate.Candidate, s *survey, add adder) {
	a := k.Answer
	switch {
	case errors.Is(k.Err, candidate.ErrOld):
		add(warning, oldCandidate, "%s: %v", k.Pod.Name, k.Err)
	case a == nil:
		add(problem, noAnswer, "%s: %v", k.Pod.Name, k.Err)
	case a.Election != s.record.Name || a.Namespace != s.record.Namespace:
		add(problem, otherElection, "%s competes in the election %s/%s: compare --election and --election-namespace", k.Pod.Name, a.Namespace, a.Election)
	case !a.Health.Fit:
		add(problem, unfit, "%s is not fit to lead: %s", k.Name(), orDash(a.Health.Reason))
	case !a.Ready:
		add(problem, notReady, "%s has not read the lock yet: %s", k.Name(), orDash(a.LastError))
	case a.LastError != "":
		add(problem, hasTrouble, "%s says: %s", k.Name(), a.LastError)
	}
	if a != nil && a.Routing != nil && a.Routing.LastError != "" {
		add(problem, hasTrouble, "%s cannot route: %s", k.Name(), a.Routing.LastError)
	}
}

// findStandby looks for somebody who could take over.
func (s *survey) findStandby(add adder) {
	if len(s.trouble) > 0 {
		return // then the candidates are not known
	}
	if len(s.candidates) == 0 {
		add(problem, noCandidates, "no pod has the label %s=%s, or a container with --election=%s; --pods-namespace says where else to look", candidate.ElectionLabel, s.record.Name, s.record.Name)
		return
	}
	unasked := 0
	for _, k := range s.candidates {
		if k.Answer != nil && k.Answer.CanTakeOver && !k.Ending() {
			return
		}
		if k.Answer == nil && !k.Ending() {
			unasked++
		}
	}
	if unasked < len(s.candidates) {
		add(problem, noStandby, "nobody could take over: %s, and none is a standby that is fit and ready", count(len(s.candidates), "candidate"))
	}
}

// findSettings compares the candidates with each other and with the lock.
func (s *survey) findSettings(add adder) {
	names := map[string]string{}
	for _, k := range s.candidates {
		if other, ok := names[k.Name()]; ok {
			add(problem, sameName, "the pods %s and %s are both called %q: compare --id", other, k.Pod.Name, k.Name())
		}
		names[k.Name()] = k.Pod.Name
	}
	s.compare(add, problem, settingsDiffer, "--lock", func(k *candidate.Candidate) string {
		if k.Answer == nil {
			return ""
		}
		return k.Answer.Lock
	})
	s.compare(add, problem, settingsDiffer, "--ttl", func(k *candidate.Candidate) string {
		if k.TTL() == 0 {
			return ""
		}
		return k.TTL().String()
	})
	s.compare(add, problem, settingsDiffer, "--route", func(k *candidate.Candidate) string { return k.Settings["route"] })
	s.compare(add, warning, versionsDiffer, "version", func(k *candidate.Candidate) string {
		if k.Answer == nil {
			return ""
		}
		return k.Answer.Version
	})
}

// compare reports a setting of which the candidates have different values.
// Where it is not known, nothing is said.
func (s *survey) compare(add adder, severity, reason, what string, value func(*candidate.Candidate) string) {
	var values, said []string
	for _, k := range s.candidates {
		v := value(k)
		if v == "" || k.Ending() {
			continue
		}
		if !slices.Contains(values, v) {
			values = append(values, v)
		}
		said = append(said, fmt.Sprintf("%s has %s", k.Pod.Name, v))
	}
	if len(values) > 1 {
		add(severity, reason, "the candidates have a different %s: %s", what, strings.Join(said, ", "))
	}
}

// findTraffic compares the Services with the leader.
func (s *survey) findTraffic(add adder) {
	pod := ""
	if k := s.leader(); k != nil {
		pod = k.Pod.Name
	}
	for _, service := range s.services {
		to := service.Pods()
		switch {
		case service.Missing:
			add(problem, notRouted, "there is no Service %s, which the candidates' --service names", service.Name)
		case !service.Exclusive():
		case service.Route == "endpointslice" && service.Selector != "":
			add(problem, notRouted, `the Service %s has a selector (%s), so Kubernetes writes endpoints beside the leader's: kubectl patch service %s -n %s --type=json -p '[{"op":"remove","path":"/spec/selector"}]'`, service.Name, service.Selector, service.Name, s.candidates[0].Pod.Namespace)
		case pod == "" && len(to) == 0:
		case len(to) == 0:
			add(problem, notRouted, "the Service %s points to nobody, and %s leads", service.Name, pod)
		case pod == "":
			add(warning, notRouted, "the Service %s points to %s, and no candidate is known to lead", service.Name, strings.Join(to, ", "))
		case len(to) > 1 || to[0] != pod:
			add(problem, notRouted, "the Service %s points to %s, and %s leads", service.Name, strings.Join(to, " and "), pod)
		}
	}
}

// findWishes tells what operators asked for.
func (s *survey) findWishes(add adder) {
	r := &s.record
	if r.Paused {
		add(warning, paused, "the election is paused (%s): nobody but its holder may lead until `kubectl leader resume %s -n %s`", r.PausedBy, r.Name, r.Namespace)
	}
	if q := r.Request; q != nil && q.From == "" {
		add(warning, asked, "the switchover request %q addresses nobody, so nobody heeds it; it is written as HOLDER/CANDIDATE", q.To)
	} else if q != nil {
		add(warning, asked, "%s was asked to hand over to %s, and has not taken the request up", q.From, anybody(q.To))
	}
}

func (s *survey) names() string {
	names := make([]string, len(s.candidates))
	for i, k := range s.candidates {
		names[i] = k.Name()
	}
	return strings.Join(names, ", ")
}

func problems(found []finding) (n int) {
	for _, f := range found {
		if f.Severity == problem {
			n++
		}
	}
	return n
}

func has(found []finding, reason string) bool {
	return slices.ContainsFunc(found, func(f finding) bool { return f.Reason == reason })
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
