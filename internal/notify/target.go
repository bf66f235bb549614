package notify

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// PostConfig says whom to tell.
type PostConfig struct {
	// URL is http:// or https:// in this pod, since what another one accepts says
	// nothing of the app whose lead this is; an empty host is 127.0.0.1.
	URL string
	// Patience is how long one piece of news is tried, as is
	// elector.Config.HandoverTimeout. Required.
	Patience time.Duration
	// View is who leads, whether that is this pod now, and the body, as JSON. It
	// is asked when the news comes about, and must not wait for us. Required.
	View func() (leader string, leads bool, body any)
	// Deaf says that the app is known to be dead or frozen, so that nobody waits
	// for it. Nil: nobody knows.
	Deaf func() bool
	// Fit is told, in order, whether the app lets this candidate lead: it has
	// accepted that it does not, and has not refused to just now. Before the first
	// call it does not let it. Nil: nobody asks.
	Fit func(fit bool, reason string)
	// Told counts what came of each piece of news. A stop that was not accepted in
	// time is counted as that, and again when it is accepted. Nil: nobody counts.
	Told func(event, result string)
	// Log takes what is not accepted. Required.
	Log *slog.Logger
}

// Validate says what is wrong with the URL.
func (c *PostConfig) Validate() error {
	_, err := c.target()
	return err
}

func (c *PostConfig) target() (*url.URL, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return nil, errors.New("it cannot be read as a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("it must begin with http:// or https://")
	case u.User != nil:
		return nil, errors.New("it holds a user name or password, which would be shown; put a secret into the query")
	case u.Fragment != "":
		return nil, errors.New("it has a fragment (#…), which cannot be sent")
	}
	if u.Hostname() == "" {
		u.Host = "127.0.0.1" + u.Host
	}
	if err := inThisPod(u.Hostname()); err != nil {
		return nil, err
	}
	return u, nil
}

// Address is the host and port of the URL; empty if that cannot be read.
func (c *PostConfig) Address() string {
	u, err := c.target()
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// inThisPod says why a URL's host is not one of this pod's.
func inThisPod(host string) error {
	if strings.EqualFold(host, "localhost") {
		return nil
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return fmt.Errorf("%q is neither localhost nor an address; the app is told in this pod: write http://127.0.0.1:PORT/PATH", host)
	case !own(ip):
		return fmt.Errorf("%v is not an address of this pod, and what another one accepts says nothing of this app: write http://127.0.0.1:PORT/PATH", ip)
	}
	return nil
}

// own says whether an address is this pod's.
func own(ip netip.Addr) bool {
	ip = ip.Unmap()
	if ip.IsLoopback() {
		return true
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok {
			if o, ok := netip.AddrFromSlice(n.IP); ok && o.Unmap() == ip.WithZone("") {
				return true
			}
		}
	}
	return false
}

// onlyInThisPod lets no connection out, whatever localhost resolves to.
func onlyInThisPod(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !own(at.Addr()) {
		return fmt.Errorf("%v is not an address of this pod", at.Addr())
	}
	return nil
}
