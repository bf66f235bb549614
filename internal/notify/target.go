package notify

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

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
