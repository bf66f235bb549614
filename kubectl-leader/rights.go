package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leader-elector/leader-elector/kubectl-leader/candidate"
	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
	"github.com/leader-elector/leader-elector/kubectl-leader/record"
)

// rightsView is what somebody may do.
type rightsView struct {
	Who     string   `json:"who"`     // a service account of the candidates, or "you"
	Missing []string `json:"missing"` // rules that a Role lacks
	Unknown string   `json:"unknown"` // why they were not looked at; empty: they were
}

// ofCandidates are the rights that a candidate's settings need, as the manifests
// that we ship grant them.
func ofCandidates(r *record.Record, k *candidate.Candidate) []cluster.Need {
	kinds := []record.Kind{r.Kind}
	if k.Settings["lock"] == "endpoints+leases" {
		kinds = []record.Kind{record.Endpoints, record.Leases}
	}
	var all []cluster.Need
	for _, kind := range kinds {
		for _, verb := range []string{"get", "list", "watch", "update"} {
			all = append(all, cluster.LockNeed(verb, kind, r.Namespace, r.Name))
		}
		all = append(all, cluster.LockNeed("create", kind, r.Namespace, ""))
	}
	ns, service := k.Pod.Namespace, k.Settings["service"]
	switch k.Settings["route"] {
	case "endpointslice":
		slice := cluster.Need{Group: "discovery.k8s.io", Resource: "endpointslices", Namespace: ns}
		for _, ip := range k.Pod.Status.PodIPs {
			family := "ipv4"
			if strings.Contains(ip.IP, ":") {
				family = "ipv6"
			}
			for _, verb := range []string{"get", "watch", "update"} {
				n := slice
				n.Verb, n.Name = verb, service+"-leader-"+family
				all = append(all, n)
			}
		}
		for _, verb := range []string{"create", "list"} {
			n := slice
			n.Verb = verb
			all = append(all, n)
		}
		all = append(all, cluster.Need{Verb: "get", Resource: "services", Namespace: ns, Name: service})
	case "label":
		for _, verb := range []string{"list", "watch", "patch"} {
			all = append(all, cluster.Need{Verb: verb, Resource: "pods", Namespace: ns})
		}
	}
	// A flag without a value is on.
	if events, set := k.Settings["events"]; set && events != "false" {
		for _, ns := range slices.Compact([]string{r.Namespace, ns}) {
			for _, verb := range []string{"create", "patch"} {
				all = append(all, cluster.Need{Verb: verb, Resource: "events", Namespace: ns})
			}
		}
	}
	return all
}

// ofOperators are the rights that these commands need.
func ofOperators(r *record.Record, namespace string) []cluster.Need {
	return []cluster.Need{
		cluster.LockNeed("patch", r.Kind, r.Namespace, r.Name),
		cluster.LockNeed("watch", r.Kind, r.Namespace, r.Name),
		{Verb: "get", Resource: "pods/proxy", Namespace: namespace},
	}
}

// rights asks what the candidates' service accounts may do, and what the user
// may.
func rights(ctx context.Context, c *cluster.Client, s *survey) []rightsView {
	var views []rightsView
	namespace := s.record.Namespace
	for _, k := range s.candidates {
		namespace = k.Pod.Namespace
		account := k.Pod.Spec.ServiceAccountName
		who := fmt.Sprintf("system:serviceaccount:%s:%s", namespace, account)
		if k.Settings == nil || slices.ContainsFunc(views, func(v rightsView) bool { return v.Who == who }) {
			continue
		}
		groups := []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"}
		views = append(views, review(who, ofCandidates(&s.record, k), func(a *authorizationv1.ResourceAttributes) (bool, error) {
			sar := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: who, Groups: groups, ResourceAttributes: a}}
			sar, err := c.Authorization.SubjectAccessReviews().Create(ctx, sar, metav1.CreateOptions{})
			if err != nil {
				return false, cluster.Need{Verb: "create", Group: "authorization.k8s.io", Resource: "subjectaccessreviews"}.Explain(err)
			}
			return sar.Status.Allowed, nil
		}))
	}
	return append(views, review("you", ofOperators(&s.record, namespace), func(a *authorizationv1.ResourceAttributes) (bool, error) {
		ssar := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: a}}
		ssar, err := c.Authorization.SelfSubjectAccessReviews().Create(ctx, ssar, metav1.CreateOptions{})
		if err != nil {
			return false, err
		}
		return ssar.Status.Allowed, nil
	}))
}

// review asks for all of them at once.
func review(who string, needs []cluster.Need, may func(*authorizationv1.ResourceAttributes) (bool, error)) rightsView {
	v := rightsView{Who: who, Missing: []string{}}
	allowed, errs := make([]bool, len(needs)), make([]error, len(needs))
	var work sync.WaitGroup
	for i, n := range needs {
		work.Go(func() {
			resource, sub, _ := strings.Cut(n.Resource, "/")
			allowed[i], errs[i] = may(&authorizationv1.ResourceAttributes{
				Verb: n.Verb, Group: n.Group, Resource: resource, Subresource: sub, Namespace: n.Namespace, Name: n.Name,
			})
		})
	}
	work.Wait()
	for i, n := range needs {
		switch {
		case errs[i] != nil:
			v.Unknown = firstLine(errs[i])
		case !allowed[i]:
			v.Missing = append(v.Missing, n.Rule())
		}
	}
	return v
}
