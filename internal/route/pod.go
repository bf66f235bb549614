package route

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
)

// Pod is a pod as traffic finds it: this candidate's own.
type Pod struct {
	Namespace, Name, UID string
	Node                 string       // the name of its node; empty if unknown
	IPs                  []netip.Addr // at most one of each family
}

// IP is the pod's address of a family, "IPv4" or "IPv6".
func (p Pod) IP(family string) (netip.Addr, bool) {
	for _, ip := range p.IPs {
		if familyOf(ip) == family {
			return ip, true
		}
	}
	return netip.Addr{}, false
}

func familyOf(ip netip.Addr) string {
	if ip.Unmap().Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// ParseIPs reads a pod's addresses, separated by commas as the downward API
// gives status.podIPs.
func ParseIPs(text string) ([]netip.Addr, error) {
	var ips []netip.Addr
	for _, part := range strings.Split(text, ",") {
		ip, err := netip.ParseAddr(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("%q is not an IP address", strings.TrimSpace(part))
		}
		if ips, err = addIP(ips, ip); err != nil {
			return nil, err
		}
	}
	return ips, nil
}

// addIP refuses what the API server would refuse as an endpoint's address.
func addIP(ips []netip.Addr, ip netip.Addr) ([]netip.Addr, error) {
	ip = ip.Unmap()
	switch {
	case ip.Zone() != "", ip.IsUnspecified(), ip.IsLoopback(), ip.IsLinkLocalUnicast(), ip.IsMulticast():
		return nil, fmt.Errorf("%v is not an address that other nodes reach", ip)
	}
	for _, other := range ips {
		if other == ip {
			return ips, nil
		}
		if familyOf(other) == familyOf(ip) {
			return nil, fmt.Errorf("%v and %v are of one family; a pod has one address of each", other, ip)
		}
	}
	return append(ips, ip), nil
}

// What the kubelet writes into a pod's /etc/hosts around the pod's own lines.
const (
	hostsHeader  = "# Kubernetes-managed hosts file."
	hostsAliases = "# Entries added by HostAliases."
)

var errHosts = errors.New("it is not the one that the kubelet writes for a pod with a network of its own")

// HostsIPs finds a pod's own addresses in its /etc/hosts: one line for each,
// between the kubelet's fixed lines and the pod's hostAliases. A pod on the
// host's network has the node's file, in which no line is surely the pod's.
func HostsIPs(hosts io.Reader) ([]netip.Addr, error) {
	lines := bufio.NewScanner(io.LimitReader(hosts, 1<<20))
	if !lines.Scan() || strings.TrimSpace(lines.Text()) != hostsHeader {
		return nil, errors.Join(lines.Err(), errHosts)
	}
	fixed := netip.MustParsePrefix("fe00::/16") // localnet, allnodes and their like
	var ips []netip.Addr
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == hostsAliases {
			break
		}
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(line, "#") {
			continue
		}
		ip, err := netip.ParseAddr(fields[0])
		if err != nil || ip.IsLoopback() || fixed.Contains(ip) {
			continue
		}
		if ips, err = addIP(ips, ip); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(ips) == 0 {
		return nil, errors.New("there is no line of the pod in it")
	}
	return ips, nil
}

// changed tells a fault, or its end, to whoever wants to know.
func changed(tell func(fault string), fault string) {
	if tell != nil {
		tell(fault)
	}
}
