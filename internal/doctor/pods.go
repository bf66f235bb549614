package doctor

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// pods looks at the labels that label routing sets.
func pods(ctx context.Context, p *patient) {
	if p.cfg.Route != "label" {
		return
	}
	var list struct {
		Items []struct {
			Metadata struct {
				Name   string
				Labels map[string]string
			}
		}
	}
	selector := or(p.cfg.PodSelector, "leader-elector.io/election="+p.cfg.Election)
	path := fmt.Sprintf("/api/v1/namespaces/%s/pods?labelSelector=%s", url.PathEscape(p.podNamespace()), url.QueryEscape(selector))
	if _, err := p.api.fetch(ctx, path, &list); err != nil {
		p.fail(finding{text: fmt.Sprintf("the pods of the election cannot be listed: %v", err), mend: "see the rights in this report"})
		return
	}
	var all, leaders []string
	for _, pod := range list.Items {
		all = append(all, pod.Metadata.Name)
		if pod.Metadata.Labels[roleLabel] == "leader" {
			leaders = append(leaders, pod.Metadata.Name)
		}
	}
	if me := p.token.Kubernetes.Pod.Name; me != "" && !slices.Contains(all, me) {
		p.fail(finding{text: fmt.Sprintf("this pod does not match %s, so nobody labels it, nor takes its label away", selector),
			mend: "add the label to the pod template (spec.template.metadata.labels), or correct --pod-selector"})
	}
	late := "ask again in a moment; if it stays so, see the leader's log and its /status (lastError)"
	switch {
	case len(leaders) > 1:
		p.fail(finding{text: fmt.Sprintf("%d pods are labelled %s=leader: %s", len(leaders), roleLabel, quoted(leaders)), mend: late})
	case len(leaders) == 0 && p.record.held():
		p.fail(finding{text: fmt.Sprintf("%s leads, but no pod is labelled %s=leader: nobody gets traffic", p.record.Holder, roleLabel), mend: late})
	case len(leaders) == 1 && p.record.held() && leaders[0] != p.record.Holder && slices.Contains(all, p.record.Holder):
		p.fail(finding{text: fmt.Sprintf("%s is labelled the leader, but %s leads", leaders[0], p.record.Holder), mend: late})
	default:
		p.ok("%d pods match %s; labelled leader: %s", len(all), selector, or(strings.Join(leaders, ", "), "none"))
	}
}
