package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
)

// health asks each of the app's checks once.
func health(ctx context.Context, p *patient) {
	if len(p.cfg.Health) == 0 {
		p.ok("no --health-check is set: an app that hangs goes on leading")
	}
	for _, c := range p.cfg.Health {
		if err := c.Run(ctx); err != nil {
			p.fail(finding{text: fmt.Sprintf("%s: %v", c.Name, err), mend: "look at the app; if it is well, correct --health-check, or give it more time with --health-timeout"})
			continue
		}
		p.ok("%s holds", c.Name)
	}
}

// view is what is used of the sidecar's /status.
type view struct {
	Version, Election, Namespace, Identity, Leader, LastError, Waiting string
	IsLeader, Ready, Watching                                          bool
	Health                                                             struct{ Fit bool }
	Routing                                                            *struct{ LastError string }
}

// sidecar asks the sidecar that runs beside us how it sees itself.
func sidecar(ctx context.Context, p *patient) {
	if p.cfg.HTTP == "" {
		p.ok("--http is empty: there is nobody to ask")
		return
	}
	url, err := statusURL(p.cfg.HTTP)
	if err != nil {
		p.fail(finding{text: err.Error(), mend: "write --http=HOST:PORT or --http=:PORT"})
		return
	}
	v, err := ask(ctx, url)
	if err != nil {
		f := finding{text: fmt.Sprintf("no sidecar answers on %s: %v", url, err), mend: "run doctor in the sidecar's container, or give the --http of the sidecar"}
		if p.cfg.Running {
			f.mend = "look at the sidecar's log; another program may hold --http=" + p.cfg.HTTP
			p.fail(f)
		} else {
			p.warn(f)
		}
		return
	}
	p.viewed(url, v)
}

// statusURL is where a server that listens on an address can be asked from the
// same pod.
func statusURL(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/status", nil
}

func ask(ctx context.Context, url string) (v view, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return v, err
	}
	client := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return v, errors.New("connection refused")
	} else if err != nil {
		return v, bare(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return v, err
	}
	if resp.StatusCode != http.StatusOK {
		return v, fmt.Errorf("it answers %s", resp.Status)
	}
	if json.Unmarshal(body, &v) != nil || v.Election == "" {
		return v, errors.New("the answer is not leader-elector's")
	}
	return v, nil
}

// viewed compares the sidecar's view with the settings, and passes on its worries.
func (p *patient) viewed(url string, v view) {
	if v.Election != p.cfg.Election || v.Namespace != p.cfg.Namespace || v.Identity != p.cfg.ID {
		p.fail(finding{text: fmt.Sprintf("the sidecar on %s is %s in the election %s/%s, not what these settings say", url, v.Identity, v.Namespace, v.Election),
			mend: "run doctor without flags in the sidecar's container, or restart the pod whose settings changed"})
		return
	}
	if v.Version != "" && v.Version != p.cfg.Version {
		p.warn(finding{text: fmt.Sprintf("the sidecar is version %s, this program %s", v.Version, p.cfg.Version), mend: "restart the pod, or run the doctor of its own image"})
	}
	if v.LastError != "" {
		p.fail(finding{text: "the sidecar says: " + v.LastError, mend: "the sentence names it; see the other findings and the sidecar's log"})
	}
	if v.Routing != nil && v.Routing.LastError != "" {
		p.fail(finding{text: "the sidecar says of its routing: " + v.Routing.LastError, mend: "the sentence names it; see the service, slices and rights of this report"})
	}
	if !v.Health.Fit {
		p.warn(finding{text: "the sidecar holds the app for unfit, so it does not lead", mend: "see the health checks of this report, and the app's log"})
	}
	if v.Ready && !v.Watching && v.LastError == "" {
		p.warn(finding{text: "the lock is polled, not watched: a hand-over is seen later", mend: "grant list and watch on the lock; see the rights of this report"})
	}
	switch {
	case !v.Ready:
		p.warn(finding{text: "the sidecar is not ready: its rights were not checked or the lock was not read yet", mend: "ask again in a moment; if it stays so, see the rights and the API server in this report"})
	case v.IsLeader:
		p.ok("the sidecar on %s leads", url)
	default:
		p.ok("the sidecar on %s stands by for %s", url, or(v.Leader, "nobody"))
	}
}
