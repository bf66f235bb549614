package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

const bridge = "br0"

// netns is the file of a network namespace.
func netns(name string) string { return "/var/run/netns/" + name }

// network lays the cables: a bridge in the control plane's namespace, a veth
// pair to each node, routes to each node's pods.
func (c *Cluster) network(ctx context.Context) error {
	steps := [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"ip", "link", "add", bridge, "type", "bridge"},
		{"ip", "addr", "add", Address + "/24", "dev", bridge},
		{"ip", "link", "set", bridge, "up"},
	}
	for _, n := range c.Nodes {
		in := func(args ...string) []string { return append([]string{"ip", "-n", n.netns}, args...) }
		steps = append(steps,
			[]string{"ip", "netns", "add", n.netns},
			[]string{"ip", "link", "add", n.cable, "type", "veth", "peer", "name", "eth0", "netns", n.netns},
			[]string{"ip", "link", "set", n.cable, "master", bridge, "up"},
			in("link", "set", "lo", "up"),
			in("addr", "add", n.IP+"/24", "dev", "eth0"),
			in("link", "set", "eth0", "up"),
			// A way to the Services' addresses, which kube-proxy translates.
			in("route", "add", "default", "via", Address),
			// Runtimes let a pod's nobody listen on any port; on the node's network
			// (hostNetwork) the node says so.
			n.inside("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.ip_unprivileged_port_start=0"),
			[]string{"ip", "route", "add", n.Pods, "via", n.IP},
		)
	}
	for _, n := range c.Nodes {
		o := c.Other(n)
		steps = append(steps, []string{"ip", "-n", n.netns, "route", "add", o.Pods, "via", o.IP})
	}
	for _, s := range steps {
		if _, err := run(ctx, s[0], s[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// Cut takes the node off the network. Its own pods and bridge stay up, as they
// do when a switch fails.
func (n *Node) Cut(ctx context.Context) error {
	_, err := run(ctx, "ip", "link", "set", n.cable, "down")
	return err
}

// Heal puts the node back on the network.
func (n *Node) Heal(ctx context.Context) error {
	_, err := run(ctx, "ip", "link", "set", n.cable, "up")
	return err
}

// Forget ends the node's translations of a Service's address. Those of
// connections that never came about live on for two minutes, and a later
// connection from the same port would be sent to a pod of an earlier trial.
//
// conntrack lists and then deletes, and gives up at an entry that ended by itself
// in between: then it is asked for the rest.
func (n *Node) Forget(ctx context.Context, address string) error {
	for {
		out, err := n.Command(ctx, "conntrack", "-D", "-p", "tcp", "--orig-dst", address).CombinedOutput()
		switch said := string(out); {
		case err == nil, strings.Contains(said, " 0 flow entries have been deleted"):
			return nil
		case ctx.Err() != nil || !strings.Contains(said, "tcp "):
			return fmt.Errorf("conntrack -D --orig-dst %s on node %s: %w\n%s", address, n.Name, err, said)
		}
	}
}

// inside is a command line within the node's network. ip-netns(8) would
// remount /sys, which hides the cgroups from the kubelet.
func (n *Node) inside(args ...string) []string {
	return append([]string{"nsenter", "--net=" + netns(n.netns)}, args...)
}

// Command is a command within the node's network.
func (n *Node) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	line := n.inside(append([]string{name}, args...)...)
	return exec.CommandContext(ctx, line[0], line[1:]...)
}

// run runs a tool and returns what it prints; its error tells what it said.
func run(ctx context.Context, name string, args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, trim(errs.String()))
	}
	return out.String(), nil
}
