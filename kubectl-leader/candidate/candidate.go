// Package candidate finds the pods that compete in an election, and asks each
// what it says of itself, through the API server's proxy.
package candidate

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
)

// ElectionLabel is the label of an election's pods; its value is the
// election's name.
const ElectionLabel = "leader-elector.io/election"

// DefaultPort is where a sidecar answers that was not told otherwise.
const DefaultPort = 4040

// Candidate is one pod of an election, and what it answered.
type Candidate struct {
	Pod       *corev1.Pod
	Container string            // of the sidecar; empty: not recognized
	Settings  map[string]string // its flags, by name without dashes
	Port      int               // zero: it answers nobody

	Answer *Status // nil: there is none, and Err says why
	Err    error
}

// Name is how the election calls the candidate, which is the pod's name unless
// it was told otherwise.
func (c *Candidate) Name() string {
	if c.Answer != nil && c.Answer.Identity != "" {
		return c.Answer.Identity
	}
	if id := c.Settings["id"]; id != "" {
		return id
	}
	return c.Pod.Name
}

// Ending says whether the pod is being deleted: then it is a candidate no more,
// unless it leads still.
func (c *Candidate) Ending() bool { return c.Pod.DeletionTimestamp != nil }

// Leads says whether the candidate says that it leads.
func (c *Candidate) Leads() bool { return c.Answer != nil && c.Answer.IsLeader }

// TTL is the lease that the candidate was told to use; zero: not known.
func (c *Candidate) TTL() time.Duration {
	d, err := time.ParseDuration(c.Settings["ttl"])
	if err != nil {
		return 0
	}
	return d
}

// Scope says where an election's pods are.
type Scope struct {
	Namespace string
	Election  string
	Port      int // of every sidecar; zero: as their containers say
}

// Find lists the election's pods: those with the label, or where no pod has it
// those with a container that was told the election's name.
func Find(ctx context.Context, c *cluster.Client, s Scope) ([]*Candidate, error) {
	need := cluster.Need{Verb: "list", Resource: "pods", Namespace: s.Namespace}
	all, err := c.Core.Pods(s.Namespace).List(ctx, metav1.ListOptions{LabelSelector: labels.Set{ElectionLabel: s.Election}.String()})
	if err != nil {
		return nil, need.Explain(err)
	}
	labelled := len(all.Items) > 0
	if !labelled {
		if all, err = c.Core.Pods(s.Namespace).List(ctx, metav1.ListOptions{}); err != nil {
			return nil, need.Explain(err)
		}
	}
	var found []*Candidate
	for i := range all.Items {
		k := &Candidate{Pod: &all.Items[i], Port: s.Port}
		recognized := k.recognize(s)
		over := k.Pod.Status.Phase == corev1.PodSucceeded || k.Pod.Status.Phase == corev1.PodFailed
		if over || !labelled && !recognized {
			continue
		}
		found = append(found, k)
	}
	slices.SortFunc(found, func(a, b *Candidate) int { return strings.Compare(a.Pod.Name, b.Pod.Name) })
	return found, nil
}

// recognize finds the sidecar among the pod's containers.
func (k *Candidate) recognize(s Scope) bool {
	for _, c := range slices.Concat(k.Pod.Spec.InitContainers, k.Pod.Spec.Containers) {
		set := settings(k.Pod, &c)
		if set["election"] != s.Election {
			continue
		}
		k.Container, k.Settings = c.Name, set
		if k.Port == 0 {
			k.Port = port(set, &c)
		}
		return true
	}
	if k.Port == 0 {
		k.Port = DefaultPort
	}
	return false
}

// port is where the sidecar answers.
func port(set map[string]string, c *corev1.Container) int {
	address, given := set["http"]
	if !given {
		for _, p := range c.Ports {
			if p.Name == "election" {
				return int(p.ContainerPort)
			}
		}
		return DefaultPort
	}
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

const variables = "LEADER_ELECTOR_" // the environment twins of the flags

// settings reads a container's flags from its environment and its command line,
// as far as the pod says them.
func settings(pod *corev1.Pod, c *corev1.Container) map[string]string {
	env := map[string]string{}
	for _, e := range c.Env {
		env[e.Name] = expand(value(pod, &e), env)
	}
	set := map[string]string{}
	for name, v := range env {
		if flag, ok := strings.CutPrefix(name, variables); ok {
			set[strings.ReplaceAll(strings.ToLower(flag), "_", "-")] = v
		}
	}
	words := slices.Concat(c.Command, c.Args)
	for i, word := range words {
		if word == "--" {
			break
		}
		flag, ok := strings.CutPrefix(word, "--")
		if !ok {
			continue
		}
		name, v, joined := strings.Cut(flag, "=")
		if !joined && i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") {
			v = words[i+1]
		}
		set[name] = expand(v, env)
	}
	return set
}

// value is that of a variable; of those that the kubelet makes up, only the
// pod's own names are known here.
func value(pod *corev1.Pod, e *corev1.EnvVar) string {
	if e.ValueFrom == nil || e.ValueFrom.FieldRef == nil {
		return e.Value
	}
	switch e.ValueFrom.FieldRef.FieldPath {
	case "metadata.name":
		return pod.Name
	case "metadata.namespace":
		return pod.Namespace
	case "spec.nodeName":
		return pod.Spec.NodeName
	case "status.podIP":
		return pod.Status.PodIP
	}
	return ""
}

// expand replaces $(NAME), as the kubelet does.
func expand(text string, env map[string]string) string {
	for name, v := range env {
		text = strings.ReplaceAll(text, "$("+name+")", v)
	}
	return text
}

// notRunning says why the sidecar cannot be asked, or nothing.
func (k *Candidate) notRunning() string {
	if k.Pod.Status.PodIP == "" {
		return "the pod has no address yet"
	}
	for _, s := range slices.Concat(k.Pod.Status.InitContainerStatuses, k.Pod.Status.ContainerStatuses) {
		switch {
		case s.Name != k.Container || s.State.Running != nil:
		case s.State.Waiting != nil && s.State.Waiting.Reason != "":
			return fmt.Sprintf("the container %s is not running: %s", s.Name, s.State.Waiting.Reason)
		case s.State.Terminated != nil:
			return fmt.Sprintf("the container %s has ended: %s", s.Name, s.State.Terminated.Reason)
		}
	}
	return ""
}
