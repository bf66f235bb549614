package main

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leader-elector/leader-elector/kubectl-leader/candidate"
)

// What a candidate can be, by its own account.
const (
	roleLeader  = "leader"
	roleStandby = "standby" // it could take over
	roleUnfit   = "unfit"   // its app is not fit to lead
	roleWaiting = "waiting" // it is fit, and could not take over now: Message says why
	roleUnknown = "unknown" // it did not answer: Message says why
	roleEnding  = "ending"  // its pod is being deleted
)

// candidateView is one candidate, as it is shown.
type candidateView struct {
	Pod      string `json:"pod"`
	Identity string `json:"identity"` // by which the lock names it
	Node     string `json:"node"`
	Address  string `json:"address"`
	Role     string `json:"role"`
	Leads    bool   `json:"isLeader"` // it says that it leads
	Fit      *bool  `json:"fit"`      // null: it did not answer
	Leader   string `json:"leader"`   // whom it knows to lead
	Term     string `json:"term"`     // of that lead; empty: none
	Version  string `json:"version"`  // of its program
	Message  string `json:"message"`  // what is wrong or why it waits; empty: nothing
}

func newCandidateView(k *candidate.Candidate) candidateView {
	v := candidateView{Pod: k.Pod.Name, Identity: k.Name(), Node: k.Pod.Spec.NodeName, Address: k.Pod.Status.PodIP, Role: roleUnknown}
	if k.Ending() {
		v.Role = roleEnding
	}
	if k.Answer == nil {
		v.Message = k.Err.Error()
		return v
	}
	a := k.Answer
	v.Leads, v.Fit, v.Leader, v.Version = a.IsLeader, &a.Health.Fit, a.Leader, a.Version
	if a.Term != nil {
		v.Term = *a.Term
	}
	v.Message = a.LastError
	switch {
	case a.IsLeader:
		v.Role = roleLeader
	case k.Ending():
	case !a.Health.Fit:
		v.Role, v.Message = roleUnfit, a.Health.Reason
	case a.CanTakeOver:
		v.Role = roleStandby
	default:
		v.Role = roleWaiting
		if v.Message == "" {
			v.Message = a.Waiting
		}
	}
	if v.Message == "" && a.Routing != nil {
		v.Message = a.Routing.LastError
	}
	return v
}

func (s *survey) views() []candidateView {
	views := make([]candidateView, len(s.candidates))
	for i, k := range s.candidates {
		views[i] = newCandidateView(k)
	}
	return views
}

var candidateColumns = []metav1.TableColumnDefinition{
	{Name: "Pod", Type: "string"},
	{Name: "Role", Type: "string"},
	{Name: "Fit", Type: "string"},
	{Name: "Knows", Type: "string"},
	{Name: "Term", Type: "string"},
	{Name: "Node", Type: "string"},
	{Name: "Version", Type: "string"},
	{Name: "Message", Type: "string"},
}

func (v *candidateView) cells() []any {
	fit := "?"
	if v.Fit != nil {
		fit = map[bool]string{true: "yes", false: "no"}[*v.Fit]
	}
	// A table's cell is one line; the rest of it is told as a problem.
	message, _, _ := strings.Cut(v.Message, "\n")
	return []any{v.Pod, v.Role, fit, orDash(v.Leader), orDash(v.Term), orDash(v.Node), orDash(v.Version), message}
}
