// Package docs types the commands of the documentation on the test cluster,
// page by page, as a reader would: in one shell, from the first to the last.
package docs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/leader-elector/leader-elector/internal/page"
	"github.com/leader-elector/leader-elector/test/e2e/cluster"
)

// patience is how long all of a page may take.
const patience = 5 * time.Minute

// Build builds the programs that a reader has installed: the sidecar's, to be
// run on his own machine, and the plugins of kubectl. It returns their folder.
func Build(ctx context.Context, source string) (string, error) {
	dir := filepath.Join(source, "bin", "installed")
	plugins, err := filepath.Glob(filepath.Join(source, "kubectl-*", "go.mod"))
	if err != nil {
		return "", err
	}
	built := [][]string{{source, "./cmd/leader-elector"}}
	for _, p := range plugins {
		built = append(built, []string{filepath.Dir(p), "."})
	}
	for _, b := range built {
		cmd := exec.CommandContext(ctx, "go", "build", "-C", b[0], "-buildvcs=false", "-ldflags", "-s -w", "-o", dir+"/", b[1])
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if said, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building %s of %s: %w\n%s", b[1], b[0], err, said)
		}
	}
	return dir, nil
}

// Reader is somebody who reads one page and types what it says, on a cluster
// that others use too: each namespace that is named gets his suffix.
type Reader struct {
	Cluster   *cluster.Cluster
	Source    string
	Page      string // below the source, such as docs/handover.md
	Suffix    string
	Installed string // the folder of Build

	dir string
}

// namespaced is where a name of a namespace stands in a command or a manifest.
var namespaced = regexp.MustCompile(`((?:^|[\s"',])(?:-n[ =]?|--namespace[ =]|namespaces?[ /]|ns[ /]|namespace: ?"?|--election-namespace=|--serviceaccount=|/namespaces/))([a-z][a-z0-9-]*)`)

// shared are namespaces that every cluster has.
var shared = []string{"default", "kube-system", "kube-public", "kube-node-lease"}

// own gives the namespaces in a text the reader's suffix.
func (r *Reader) own(text string) string {
	return namespaced.ReplaceAllStringFunc(text, func(found string) string {
		parts := namespaced.FindStringSubmatch(found)
		if slices.Contains(shared, parts[2]) || strings.HasSuffix(parts[2], r.Suffix) {
			return found
		}
		return parts[1] + parts[2] + r.Suffix
	})
}

// stem is the page's name without what a name of Kubernetes may not have.
func stem(name string) string {
	name = strings.TrimSuffix(strings.TrimPrefix(name, "docs/"), ".md")
	return strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(name), "-"), "-")
}

// Try types a page's commands in namespaces of its own, and removes these.
func Try(ctx context.Context, c *cluster.Cluster, source, installed, name string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r := &Reader{Cluster: c, Source: source, Page: name, Suffix: "-" + stem(name), Installed: installed}
	blocks, err := page.Typed(source, name)
	if err != nil {
		return err
	}
	home := "docs" + r.Suffix
	if _, err := c.Kubectl(ctx, "create", "namespace", home); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
		defer cancel()
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, r.story(ctx))
		}
		err = errors.Join(err, r.clear(ctx))
	}()
	return r.Type(ctx, home, blocks)
}

// Type types the commands of blocks, in a namespace where they name none.
func (r *Reader) Type(ctx context.Context, namespace string, blocks []page.Block) error {
	if err := r.sit(ctx, namespace); err != nil {
		return err
	}
	var commands []page.Command
	script := new(strings.Builder)
	script.WriteString("set -euo pipefail\nexec 2>&1\n")
	for _, b := range blocks {
		if b.File != "" && b.Kind != "go" {
			file := filepath.Join(r.dir, filepath.Clean("/"+b.File))
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(r.own(b.Text)), 0o644)); err != nil {
				return err
			}
		}
		for _, c := range b.Commands() {
			c.Prints = r.own(c.Prints)
			fmt.Fprintf(script, "printf '%s%%d\\n' %d\n%s\n", separator, len(commands), r.own(c.Text))
			commands = append(commands, c)
		}
	}
	out, err := r.bash(ctx, script.String())
	return r.judge(commands, out, err)
}

// separator stands before what a command prints. No program prints it by itself.
const separator = "\x1e"

// judge says which command failed, or printed something else than the page says.
func (r *Reader) judge(commands []page.Command, out string, failed error) error {
	parts := strings.Split(out, separator)[1:]
	for i, part := range parts {
		_, printed, _ := strings.Cut(part, "\n")
		c := commands[i]
		if failed != nil && i == len(parts)-1 {
			return fmt.Errorf("%s, line %d: %w\n%s%s", r.Page, c.Line, failed, c.Text, printed)
		}
		if line := missing(c.Prints, printed); line != "" {
			return fmt.Errorf("%s, line %d: it does not print\n%s\nbut\n%s", r.Page, c.Line, line, printed)
		}
	}
	return failed
}

// sit gives the reader a folder with the source in it and a kubeconfig, in which
// he may change what he likes.
func (r *Reader) sit(ctx context.Context, namespace string) error {
	r.dir = filepath.Join(r.Cluster.Dir, "reader"+r.Suffix)
	entries, err := os.ReadDir(r.Source)
	if err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(r.dir), os.MkdirAll(r.dir, 0o755)); err != nil {
		return err
	}
	for _, e := range entries {
		from, to := filepath.Join(r.Source, e.Name()), filepath.Join(r.dir, e.Name())
		if e.Name() == "deploy" {
			err = r.copy(from, to)
		} else {
			err = os.Symlink(from, to)
		}
		if err != nil {
			return err
		}
	}
	data, err := os.ReadFile(r.Cluster.Plane.Kubeconfig())
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.kubeconfig(), data, 0o600); err != nil {
		return err
	}
	_, err = r.bash(ctx, "kubectl config set-context --current --namespace="+namespace)
	return err
}

func (r *Reader) kubeconfig() string { return filepath.Join(r.dir, ".kubeconfig") }

// copy copies the manifests. Kustomize gives the namespace that a kustomization
// names to everything in it, to the Namespace too.
func (r *Reader) copy(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, below), 0o755)
		}
		data, err := os.ReadFile(path)
		if d.Name() == "kustomization.yaml" {
			data = []byte(r.own(string(data)))
		}
		return errors.Join(err, os.WriteFile(filepath.Join(to, below), data, 0o644))
	})
}

// bash runs a script to its end, and ends what it has left behind: a page may
// start something in the background, as its reader does in another window.
func (r *Reader) bash(ctx context.Context, script string) (out string, err error) {
	file, err := os.Create(filepath.Join(r.dir, ".out"))
	if err != nil {
		return "", err
	}
	defer file.Close()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.dir, file, file
	cmd.Env = append(os.Environ(), "KUBECONFIG="+r.kubeconfig(), "PATH="+r.Installed+":"+r.Cluster.Programs()+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		return "", err
	}
	err = cmd.Wait()
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	data, unread := os.ReadFile(file.Name())
	return string(data), errors.Join(err, unread)
}

// namespaces are those of this reader.
func (r *Reader) namespaces(ctx context.Context) (own []string, err error) {
	out, err := r.Cluster.Kubectl(ctx, "get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}")
	for _, n := range strings.Fields(out) {
		if strings.HasSuffix(n, r.Suffix) {
			own = append(own, n)
		}
	}
	return own, err
}

func (r *Reader) clear(ctx context.Context) error {
	own, err := r.namespaces(ctx)
	if err == nil && len(own) > 0 {
		_, err = r.Cluster.Kubectl(ctx, append([]string{"delete", "namespace", "--timeout=110s"}, own...)...)
	}
	return err
}

// story is what explains a failure.
func (r *Reader) story(ctx context.Context) string {
	var all bytes.Buffer
	own, _ := r.namespaces(ctx)
	for _, n := range own {
		for _, args := range [][]string{
			{"get", "pods,leases,services,endpointslices", "-o", "wide"}, {"get", "events", "--sort-by=.lastTimestamp"},
			{"logs", "-l", "leader-elector.io/election", "--all-containers", "--prefix", "--tail=30"},
		} {
			out, _ := r.Cluster.Kubectl(ctx, append([]string{"--namespace=" + n}, args...)...)
			fmt.Fprintf(&all, "== %s: kubectl %s\n%s\n", n, strings.Join(args, " "), out)
		}
	}
	return all.String()
}
