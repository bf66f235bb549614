// Package cluster brings up a real Kubernetes of two nodes on one machine. The
// control plane and each node have a network namespace of their own; no
// namespace has a way out. It needs root and a few Debian packages.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

// Address is that of the control plane, as the nodes and pods see it.
const Address = "10.77.0.1"

var nodeNames = []string{"a", "b"}

// Cluster is a control plane and two nodes.
type Cluster struct {
	Dir   string
	Plane *controlplane.Plane
	Nodes []*Node

	progress  io.Writer
	programs  string
	managers  []*controlplane.Process // controller-manager and scheduler
	mirror    *mirror
	beginning time.Time
}

// Options of Start.
type Options struct {
	// Programs is the folder that Build returned.
	Programs string
	// Images is the folder of the registry that the nodes pull from.
	Images string
	// Progress is told what happens.
	Progress io.Writer
}

// Build builds the programs of a cluster, unless they are in the cache. It
// must happen before Enter, since it may need the network.
func Build(ctx context.Context, progress io.Writer) (dir string, err error) {
	return controlplane.Build(ctx, progress, "etcd", "kube-apiserver",
		"kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
}

// Start brings the cluster up. The caller must already be in the control
// plane's network namespace (see Enter). When Start fails it takes down what
// it put up.
func Start(ctx context.Context, opt Options) (_ *Cluster, err error) {
	c := &Cluster{Dir: Dir(), progress: opt.Progress, programs: opt.Programs, beginning: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	for i, name := range nodeNames {
		c.Nodes = append(c.Nodes, newNode(c, name, i+1))
	}
	if err := c.network(ctx); err != nil {
		return c, err
	}
	if c.mirror, err = serveImages(opt.Images); err != nil {
		return c, err
	}
	// The runtimes start while the control plane does; the kubelets need both.
	for _, n := range c.Nodes {
		if err := n.startRuntime(ctx); err != nil {
			return c, err
		}
	}
	if err := c.startPlane(ctx); err != nil {
		return c, err
	}
	for _, n := range c.Nodes {
		if err := n.startAgents(); err != nil {
			return c, err
		}
	}
	if err := c.WaitNodes(ctx); err != nil {
		return c, err
	}
	c.say("two nodes are Ready")
	return c, nil
}

// startPlane starts the control plane with what nodes need beyond a test's.
func (c *Cluster) startPlane(ctx context.Context) error {
	dir := filepath.Join(c.Dir, "plane")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	c.say("control plane")
	plane, err := controlplane.Start(ctx, controlplane.Options{
		Dir: dir, Address: Address, Progress: c.progress,
		APIServerArgs: []string{
			// The kubernetes Service must lead to this server: pods ask it there.
			"--endpoint-reconciler-type=lease", "--advertise-address=" + Address,
			"--authorization-mode=Node", // added to RBAC
			"--kubelet-preferred-address-types=InternalIP",
			"--kubelet-client-certificate=" + filepath.Join(dir, "admin.crt"),
			"--kubelet-client-key=" + filepath.Join(dir, "admin.key"),
		},
	})
	if err != nil {
		return err
	}
	c.Plane = plane
	manager, err := c.manager("kube-controller-manager",
		"--use-service-account-credentials", "--root-ca-file="+plane.CAFile,
		"--service-account-private-key-file="+filepath.Join(dir, "sa.key"))
	if err != nil {
		return err
	}
	scheduler, err := c.manager("kube-scheduler")
	if err != nil {
		return err
	}
	c.managers = []*controlplane.Process{manager, scheduler}
	return errors.Join(manager.Start(), scheduler.Start())
}

// manager is one of the control plane's other programs.
func (c *Cluster) manager(name string, args ...string) (*controlplane.Process, error) {
	config, err := c.kubeconfig(name, "system:"+name, nil)
	if err != nil {
		return nil, err
	}
	args = append([]string{
		"--kubeconfig=" + config, "--authentication-kubeconfig=" + config, "--authorization-kubeconfig=" + config,
		"--leader-elect=false", "--bind-address=127.0.0.1", "--profiling=false",
	}, args...)
	return controlplane.NewProcess(name, c.program(name), filepath.Join(c.Dir, name+".log"), args...), nil
}

func (c *Cluster) program(name string) string { return filepath.Join(c.programs, name) }

// kubeconfig writes one with a certificate of its own.
func (c *Cluster) kubeconfig(file, user string, groups []string) (string, error) {
	cert, key, err := c.Plane.Authority.Issue(file, user, groups, nil)
	if err != nil {
		return "", err
	}
	path := filepath.Join(c.Dir, file+".kubeconfig")
	return path, WriteKubeconfig(path, c.Plane.Server, c.Plane.CAFile, cert, key)
}

// WriteKubeconfig writes a kubeconfig with certificates by file name.
func WriteKubeconfig(path, server, ca, cert, key string) error {
	return os.WriteFile(path, fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: e2e
contexts:
- {name: e2e, context: {cluster: e2e, user: me}}
clusters:
- {name: e2e, cluster: {server: %q, certificate-authority: %q}}
users:
- {name: me, user: {client-certificate: %q, client-key: %q}}
`, server, ca, cert, key), 0o600)
}

// WaitNodes returns once both nodes are Ready and take pods.
func (c *Cluster) WaitNodes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	err := Until(ctx, 200*time.Millisecond, func(ctx context.Context) error {
		for _, n := range c.Nodes {
			if err := n.ready(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("the nodes did not become Ready; logs are in %s: %w", c.Dir, err)
	}
	return nil
}

// Until tries until try succeeds. When ctx ends it returns the last error that
// is not of that end.
func Until(ctx context.Context, every time.Duration, try func(context.Context) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last error
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return last
		}
	}
}

// Kubectl runs kubectl as the administrator and returns what it prints.
func (c *Cluster) Kubectl(ctx context.Context, args ...string) (string, error) {
	return run(ctx, c.program("kubectl"), append([]string{"--kubeconfig=" + c.Plane.Kubeconfig()}, args...)...)
}

// Programs is the folder of kubectl and the others.
func (c *Cluster) Programs() string { return c.programs }

// say tells the progress with the time since the start.
func (c *Cluster) say(what string, args ...any) {
	fmt.Fprintf(c.progress, "%5.1f s  %s\n", time.Since(c.beginning).Seconds(), fmt.Sprintf(what, args...))
}

// Node finds a node by name.
func (c *Cluster) Node(name string) *Node {
	for _, n := range c.Nodes {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// Other is the node that is not n.
func (c *Cluster) Other(n *Node) *Node {
	for _, o := range c.Nodes {
		if o != n {
			return o
		}
	}
	return nil
}

// Stop takes everything down, in the order in which nothing restarts what is
// being ended, and removes the cluster's folder.
func (c *Cluster) Stop() error {
	var errs []error
	for _, n := range c.Nodes {
		errs = append(errs, n.stopAgents())
	}
	for _, m := range c.managers {
		errs = append(errs, m.Kill())
	}
	if c.Plane != nil {
		errs = append(errs, c.Plane.Stop())
	}
	if c.mirror != nil {
		errs = append(errs, c.mirror.close())
	}
	return errors.Join(append(errs, Sweep(c.Dir))...)
}

// trim keeps an error to its last lines: tools print their whole usage.
func trim(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 2000 {
		s = "…" + s[len(s)-2000:]
	}
	return s
}
