package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// settleWithin bounds the wait for pods that have just been made; one that never
// gets ready keeps nobody from injecting.
const (
	settleWithin = time.Minute
	settleEvery  = 500 * time.Millisecond
)

// settle waits until Kubernetes has written the addresses of all pods that a
// Service selects. As long as its controllers have something to write, they may
// write once more after the selector is gone, and nobody would clear that away:
// the leader refuses to route beside it.
func (v *injectView) settle(svc *corev1.Service) error {
	told := ""
	for began := time.Now(); ; {
		why := v.unsettled(svc)
		switch {
		case why == "":
			return nil
		case time.Since(began) > settleWithin:
			fmt.Fprintf(v.f.ErrOut, "note: Service/%s: after %v still %s; if the leader then refuses to route, run the same command again\n", svc.Name, settleWithin, why)
			return nil
		case why != told:
			fmt.Fprintf(v.f.ErrOut, "waiting until the addresses of the Service %s are settled: %s\n", svc.Name, why)
			told = why
		}
		select {
		case <-time.After(settleEvery):
		case <-v.ctx.Done():
			return v.ctx.Err()
		}
	}
}

// unsettled says what the addresses of a Service lack; empty: nothing, or that
// cannot be known without the right to list its pods.
func (v *injectView) unsettled(svc *corev1.Service) string {
	pods, err := v.client.Core.Pods(svc.Namespace).List(v.ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(svc.Spec.Selector).String()})
	if err != nil {
		return ""
	}
	list, err := v.client.Discovery.EndpointSlices(svc.Namespace).List(v.ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + svc.Name})
	if err != nil {
		return ""
	}
	written := map[string]bool{} // by the name of the pod: whether it is ready
	for _, s := range list.Items {
		for _, e := range s.Endpoints {
			if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
				written[e.TargetRef.Name] = e.Conditions.Ready == nil || *e.Conditions.Ready
			}
		}
	}
	var not []string
	for _, pod := range pods.Items {
		ending := pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
		if !ending && !written[pod.Name] {
			not = append(not, pod.Name+" is not ready")
		}
		if ending && written[pod.Name] {
			not = append(not, pod.Name+" is ending")
		}
		delete(written, pod.Name)
	}
	for name := range written {
		not = append(not, name+" is gone")
	}
	slices.Sort(not)
	return strings.Join(not, ", ")
}
