package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/internal/kube"
)

// bodyLimit bounds what is read of one answer: the slices of a large Service.
const bodyLimit = 4 << 20

// api is the way to the API server, once it answered.
type api struct {
	*kube.Client
	http   *http.Client
	server string
	skew   time.Duration // our wall clock less the server's
	round  time.Duration // the time of one answer, which bounds the skew's error
}

func (a *api) answers() bool { return a != nil }

// fetch is a GET of what is no single object.
func (a *api) fetch(ctx context.Context, path string, into any) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.server+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, bare(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, bodyLimit+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > bodyLimit:
		return nil, fmt.Errorf("the answer is longer than %d bytes", bodyLimit)
	case resp.StatusCode != http.StatusOK:
		return resp, &refusal{resp.StatusCode, sentence(body)}
	}
	if err := json.Unmarshal(body, into); err != nil {
		return resp, fmt.Errorf("the answer is not the API server's: %w", err)
	}
	return resp, nil
}

// refusal is an answer that is not the one hoped for.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string {
	return strings.TrimRight(fmt.Sprintf("%d %s: %s", r.status, http.StatusText(r.status), r.message), ": ")
}

// refused says whether an error is an answer of that status, from either way of
// asking.
func refused(err error, status int) bool {
	var r *refusal
	var k *kube.Error
	return errors.As(err, &r) && r.status == status || errors.As(err, &k) && k.Status == status
}

// sentence is the message of a Status.
func sentence(body []byte) string {
	var s struct{ Message string }
	if json.Unmarshal(body, &s) != nil {
		return ""
	}
	return s.Message
}

// bare strips the method and URL that net/http puts before an error.
func bare(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// server looks whether the API server answers, how fast, and as whom it takes us.
func server(ctx context.Context, p *patient) {
	if p.cfg.Access.Server == "" {
		p.fail(finding{text: "no way to an API server is known, so nothing in the cluster was looked at",
			mend: "in a pod set automountServiceAccountToken: true; elsewhere give --kubeconfig=FILE, or --server=URL of `kubectl proxy`"})
		return
	}
	a, err := newAPI(p.cfg.Access)
	if err != nil {
		p.fail(finding{text: err.Error(), mend: "correct --server, --kubeconfig or the mounted credentials"})
		return
	}
	var version struct{ GitVersion string }
	begun := time.Now()
	resp, err := a.fetch(ctx, "/version", &version)
	a.round = time.Since(begun)
	if err != nil {
		p.fail(finding{text: fmt.Sprintf("%s: %v; nothing in the cluster was looked at", a.server, err), mend: p.serverMend(ctx, err)})
		return
	}
	first := a.round
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		// The header is cut to whole seconds, so its middle is half a second later.
		a.skew = begun.Add(a.round / 2).Sub(date.Add(time.Second / 2))
	}
	begun = time.Now()
	if _, err := a.fetch(ctx, "/version", &version); err == nil {
		a.round = time.Since(begun) // on a connection that stands, like a renewal
	}
	p.api = a
	text := fmt.Sprintf("%s answers as %s in %v, the first time in %v", a.server, version.GitVersion, a.round.Round(100*time.Microsecond), first.Round(100*time.Microsecond))
	if limit := p.cfg.TTL / 6; limit > 0 && a.round > limit {
		p.warn(finding{text: text + fmt.Sprintf("; a renewal has %v before it is given up", limit), mend: "raise --ttl on all candidates, or relieve the API server"})
		return
	}
	p.ok("%s", text)
}

func newAPI(access kube.Access) (*api, error) {
	c, err := kube.New(access)
	if err != nil {
		return nil, err
	}
	a := &api{Client: c, server: strings.TrimRight(access.Server, "/"), http: &http.Client{}}
	if access.NewClient != nil {
		if a.http, err = access.NewClient(); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// serverMend is what to do about a server that does not answer as it should.
func (p *patient) serverMend(ctx context.Context, err error) string {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		plain    tls.RecordHeaderError
		dns      *net.DNSError
	)
	from := p.cfg.Access.AddressFrom
	if from == "" {
		from = "--server"
	}
	switch {
	case refused(err, http.StatusUnauthorized):
		return or(p.cfg.Access.CredentialHint, "these credentials are not accepted: give others by --kubeconfig")
	case refused(err, http.StatusForbidden):
		return "bind the ClusterRole system:public-info-viewer, which every cluster has, to this account again"
	case errors.As(err, &unknown):
		return "the certificate is of another authority than the ca.crt or kubeconfig in use: a proxy in between, an old ca.crt, or another cluster"
	case errors.As(err, &hostname):
		return "the certificate is for other names: use one of them in the address from " + from
	case errors.As(err, &invalid):
		return "the certificate cannot be used now: renew it, or correct this machine's clock"
	case refused(err, http.StatusBadRequest) && strings.HasPrefix(p.cfg.Access.Server, "http:"):
		return "the server speaks TLS: write https:// in the address from " + from
	case errors.As(err, &plain), errors.Is(err, http.ErrSchemeMismatch):
		return "the server does not speak TLS: write http:// in the address from " + from
	case errors.As(err, &dns):
		return "the name is not known here: correct the address from " + from + ", or the pod's DNS"
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return "nothing answered in time: look for a NetworkPolicy that keeps this pod from the API server, and at the address from " + from
	}
	return "correct the address from " + from + ", or look for a NetworkPolicy or mesh that keeps this pod from the API server"
}

// or is the first that says something.
func or(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
