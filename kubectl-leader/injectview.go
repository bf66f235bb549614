package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
	"github.com/leader-elector/leader-elector/kubectl-leader/inject"
)

// oldest is the oldest minor version of Kubernetes 1 that has all that is
// injected: sidecars as init containers (1.29) and a preStop that sleeps (1.30).
const oldest = 30

// injectView is what inject sees of the cluster. It only reads.
type injectView struct {
	f      *factory
	ctx    context.Context
	client *cluster.Client
	away   error // why it cannot be read
}

// compatible refuses a cluster that does not know what is injected. One that
// cannot be reached is told of later, where it matters.
func (v *injectView) compatible() error {
	client, err := v.f.client()
	if err != nil {
		v.away = err
		return nil
	}
	v.client = client
	asked, err := v.f.config.ToDiscoveryClient()
	if err != nil {
		v.away = err
		return nil
	}
	is, err := asked.ServerVersion()
	if err != nil {
		v.away = err
		return nil
	}
	minor, err := strconv.Atoi(strings.TrimRight(is.Minor, "+"))
	if err == nil && is.Major == "1" && minor < oldest {
		return fmt.Errorf("the cluster is Kubernetes %s, and the sidecar as it is injected needs 1.%d (native sidecars, and a preStop that sleeps); with --local the manifest is printed all the same", is.GitVersion, oldest)
	}
	return nil
}

// look reads a Service with its slices and the pods that get its traffic.
func (v *injectView) look(namespace, name string) (*inject.Live, error) {
	if v.away != nil {
		return nil, fmt.Errorf("the cluster was not looked at (%w)", v.away)
	}
	svc, err := v.client.Core.Services(namespace).Get(v.ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the Service %s/%s was not looked at: %w", namespace, name, err)
	}
	live := &inject.Live{Selector: len(svc.Spec.Selector) > 0}
	if live.Selector {
		if err := v.settle(svc); err != nil {
			return nil, err
		}
	}
	for _, family := range svc.Spec.IPFamilies {
		live.Families = append(live.Families, string(family))
	}
	list, err := v.client.Discovery.EndpointSlices(namespace).List(v.ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + name})
	if err != nil {
		return nil, fmt.Errorf("the slices of the Service %s/%s were not looked at: %w", namespace, name, err)
	}
	var ready []string
	for _, s := range list.Items {
		live.Slices = append(live.Slices, inject.LiveSlice{Name: s.Name, AddressType: string(s.AddressType), Manager: s.Labels[discoveryv1.LabelManagedBy], Filled: len(s.Endpoints) > 0})
		for _, e := range s.Endpoints {
			if r := e.Conditions.Ready; (r == nil || *r) && e.TargetRef != nil && e.TargetRef.Kind == "Pod" && !slices.Contains(ready, e.TargetRef.Name) {
				ready = append(ready, e.TargetRef.Name)
			}
		}
	}
	if err := v.endpoints(live, namespace, name); err != nil {
		return nil, err
	}
	return live, v.pods(live, namespace, ready)
}

// endpoints looks at the object of which Kubernetes makes slices for a Service
// without a selector. Only one that holds addresses matters.
func (v *injectView) endpoints(live *inject.Live, namespace, name string) error {
	ends, err := v.client.Core.Endpoints(namespace).Get(v.ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("the Endpoints %s/%s were not looked at: %w", namespace, name, err)
	}
	live.Endpoints = len(ends.Subsets) > 0
	live.ByController = ends.Labels["endpoints.kubernetes.io/managed-by"] == "endpoint-controller" ||
		ends.Annotations[corev1.EndpointsLastChangeTriggerTime] != ""
	return nil
}

func (v *injectView) pods(live *inject.Live, namespace string, names []string) error {
	for _, name := range names {
		pod, err := v.client.Core.Pods(namespace).Get(v.ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err) || err == nil && pod.DeletionTimestamp != nil:
			continue
		case err != nil:
			return fmt.Errorf("the pods behind the Service were not looked at: %w", err)
		}
		live.Ready = append(live.Ready, livePod(pod))
	}
	return nil
}

func livePod(pod *corev1.Pod) inject.LivePod {
	p := inject.LivePod{Name: pod.Name, UID: string(pod.UID), Node: pod.Spec.NodeName, Created: pod.CreationTimestamp.Time}
	for _, ip := range pod.Status.PodIPs {
		p.IPs = append(p.IPs, ip.IP)
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			p.ReadySince = c.LastTransitionTime.Time
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		p.Restarts += int(c.RestartCount)
	}
	p.Cost, _ = strconv.Atoi(pod.Annotations["controller.kubernetes.io/pod-deletion-cost"])
	return p
}

var errRefused = errors.New("the server refuses some of it, so nothing is printed")
