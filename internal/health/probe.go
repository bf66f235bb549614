package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// maxBody is how much of an answer's body is read. What it says is not of
// interest; reading a little lets most apps finish their write.
const maxBody = 10 << 10

// probe is one question to the app.
type probe struct {
	name    string // the URL, less its query, which may hold a secret
	address string // host and port of a check by network
	ask     func(context.Context) error
}

// parse reads a check's URL.
func parse(text string) (*probe, error) {
	fault := func(format string, args ...any) (*probe, error) {
		return nil, fmt.Errorf("the health check %q "+format, append([]any{hide(text)}, args...)...)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fault("cannot be read as a URL")
	case u.User != nil:
		return fault("holds a user name or password, which would be shown; give the check a path without one")
	case u.Fragment != "":
		return fault("has a fragment (#…), which a check cannot send")
	}
	p := &probe{name: hide(text)}
	switch u.Scheme {
	case "http", "https":
		port := "80"
		if u.Scheme == "https" {
			port = "443"
		}
		p.address = net.JoinHostPort(orElse(u.Hostname(), "127.0.0.1"), orElse(u.Port(), port))
		u.Host = p.address
		p.ask = askHTTP(u.String())
	case "tcp":
		if u.Port() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return fault("must be tcp://HOST:PORT")
		}
		p.address = net.JoinHostPort(orElse(u.Hostname(), "127.0.0.1"), u.Port())
		p.ask = askTCP(p.address)
	case "file":
		return parseFile(p, u, fault)
	default:
		return fault("must begin with http://, https://, tcp:// or file://")
	}
	return p, nil
}

func parseFile(p *probe, u *url.URL, fault func(string, ...any) (*probe, error)) (*probe, error) {
	if u.Host != "" || u.Path == "" {
		return fault("must be file:///PATH, with three slashes")
	}
	var oldest time.Duration
	for key, values := range u.Query() {
		if key != "max-age" || len(values) != 1 {
			return fault("has the parameter %q; there is max-age, once", key)
		}
		age, err := time.ParseDuration(values[0])
		if err != nil || age <= 0 {
			return fault("has max-age=%s; write a positive duration such as 10s", values[0])
		}
		oldest = age
	}
	p.ask = askFile(u.Path, oldest)
	return p, nil
}

// hide cuts the query off, and a password out.
func hide(text string) string {
	text, _, _ = strings.Cut(text, "?")
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		host, path, slash := strings.Cut(rest, "/")
		if at := strings.LastIndex(host, "@"); at >= 0 {
			host = "…" + host[at:]
		}
		text = scheme + "://" + host
		if slash {
			text += "/" + path
		}
	}
	return text
}

func orElse(value, other string) string {
	if value == "" {
		return other
	}
	return value
}

// askHTTP takes 200 to 399 for an answer of a fit app, as the kubelet's probes
// do, and like them does not verify certificates: the app's name for itself is
// seldom 127.0.0.1. Each check is a new connection, so that it is the listening
// process that answers.
func askHTTP(address string) func(context.Context) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	client := &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: protocols,
		},
	}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		req.Header.Set("User-Agent", "leader-elector-health")
		resp, err := client.Do(req)
		if err != nil {
			return plain(ctx, err)
		}
		defer resp.Body.Close()
		io.CopyN(io.Discard, resp.Body, maxBody)
		if resp.StatusCode < 200 || resp.StatusCode > 399 {
			return fmt.Errorf("%s answers %s", hide(address), resp.Status)
		}
		return nil
	}
}

func askTCP(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return plain(ctx, err)
		}
		return conn.Close()
	}
}

// plain takes the URL out of an error, since its query may hold a secret, and
// says a time-out in words.
func plain(ctx context.Context, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if timedOut(err) && ctx.Err() != nil {
		return fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)
	}
	return err
}

// askFile looks at a file that the app touches while it is well. The age counts
// on the wall clock of this machine, which both read; a time that lies ahead is
// no age. A look that hangs (a dead network file system) is left waiting, and no
// second one is made beside it.
func askFile(path string, oldest time.Duration) func(context.Context) error {
	var looking chan error
	return func(ctx context.Context) error {
		if looking == nil {
			looking = make(chan error, 1)
			go func(done chan<- error) { done <- look(path, oldest) }(looking)
		}
		select {
		case err := <-looking:
			looking = nil
			return err
		case <-ctx.Done():
			return fmt.Errorf("looking at %s hangs: %w", path, ctx.Err())
		}
	}
}

func look(path string, oldest time.Duration) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if age := time.Since(info.ModTime()); oldest > 0 && age > oldest {
		return fmt.Errorf("%s was last touched %v ago, more than %v", path, age.Round(100*time.Millisecond), oldest)
	}
	return nil
}
