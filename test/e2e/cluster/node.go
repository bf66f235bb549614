package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

// Node is one node: a container runtime, a kubelet and a kube-proxy in a
// network namespace.
type Node struct {
	Name string
	IP   string
	Pods string // the range of its pods' addresses

	Runtime *controlplane.Process
	Kubelet *controlplane.Process
	Proxy   *controlplane.Process

	cluster *Cluster
	dir     string
	netns   string
	cable   string // the control plane's end of its veth pair
}

func newNode(c *Cluster, name string, number int) *Node {
	return &Node{
		Name: name, IP: fmt.Sprintf("10.77.0.%d", 10+number), Pods: fmt.Sprintf("10.77.%d.0/24", number),
		cluster: c, dir: filepath.Join(c.Dir, name), netns: spaceOf(name), cable: "to-" + name,
	}
}

// startRuntime configures and starts containerd.
func (n *Node) startRuntime(ctx context.Context) error {
	if err := n.write("containerd.toml", containerdConfig, "cni/10-bridge.conflist", cniConfig,
		"registry/_default/hosts.toml", registryConfig); err != nil {
		return err
	}
	n.Runtime = n.process("containerd", "containerd", "--config="+n.path("containerd.toml"))
	return n.awaitRuntime(ctx)
}

// awaitRuntime starts containerd and waits until it answers, since a kubelet
// that finds none ends.
func (n *Node) awaitRuntime(ctx context.Context) error {
	if err := n.Runtime.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return Until(ctx, 100*time.Millisecond, func(ctx context.Context) error {
		_, err := run(ctx, "ctr", "--address="+n.socket(), "version")
		return err
	})
}

// startAgents starts the kubelet and kube-proxy.
func (n *Node) startAgents() error {
	kubelet, err := n.cluster.kubeconfig("kubelet-"+n.Name, "system:node:"+n.Name, []string{"system:nodes"})
	if err != nil {
		return err
	}
	proxy, err := n.cluster.kubeconfig("kube-proxy-"+n.Name, "system:kube-proxy", nil)
	if err != nil {
		return err
	}
	if err := n.write("kubelet.yaml", kubeletConfig, "kube-proxy.yaml", fmt.Sprintf(proxyConfig, proxy, n.Name)); err != nil {
		return err
	}
	n.Kubelet = n.process("kubelet", n.cluster.program("kubelet"),
		"--config="+n.path("kubelet.yaml"), "--kubeconfig="+kubelet, "--root-dir="+n.path("kubelet"),
		"--cert-dir="+n.path("kubelet/pki"), "--hostname-override="+n.Name, "--node-ip="+n.IP)
	n.Proxy = n.process("kube-proxy", n.cluster.program("kube-proxy"), "--config="+n.path("kube-proxy.yaml"))
	return errors.Join(n.Kubelet.Start(), n.Proxy.Start())
}

func (n *Node) process(name, path string, args ...string) *controlplane.Process {
	line := n.inside(append([]string{path}, args...)...)
	return controlplane.NewProcess(name+" of "+n.Name, line[0], n.path(name+".log"), line[1:]...)
}

// stopAgents ends what starts and restarts containers, so that they can be
// ended for good.
func (n *Node) stopAgents() error {
	var errs []error
	for _, p := range []*controlplane.Process{n.Kubelet, n.Proxy, n.Runtime} {
		if p != nil {
			errs = append(errs, p.Kill())
		}
	}
	return errors.Join(errs...)
}

func (n *Node) path(name string) string { return filepath.Join(n.dir, name) }

func (n *Node) socket() string { return n.path("containerd.sock") }

// write writes files, given as pairs of name and template, below the node's folder.
func (n *Node) write(pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		path := n.path(pairs[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(n.fill(pairs[i+1])), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// ready returns nil if the API server holds the node to be Ready, and fit for
// new pods: the taints of a lost node stay for a few seconds longer. A kubelet
// that ended is started again, as an init system would: containerd answers a
// little before it serves kubelets.
func (n *Node) ready(ctx context.Context) error {
	if err := n.Kubelet.Start(); err != nil {
		return err
	}
	var node struct {
		Spec   struct{ Taints []struct{ Key string } }
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := n.cluster.Plane.Do(ctx, http.MethodGet, "/api/v1/nodes/"+n.Name, nil, &node); err != nil {
		return fmt.Errorf("node %s: %w", n.Name, err)
	}
	if len(node.Spec.Taints) > 0 {
		return fmt.Errorf("node %s still has the taint %s", n.Name, node.Spec.Taints[0].Key)
	}
	for _, c := range node.Status.Conditions {
		if c.Type == "Ready" && c.Status == "True" {
			return nil
		} else if c.Type == "Ready" {
			return fmt.Errorf("node %s is not Ready: %s", n.Name, c.Message)
		}
	}
	return fmt.Errorf("node %s has not reported yet", n.Name)
}
