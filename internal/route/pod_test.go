package route_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leader-elector/leader-elector/internal/route"
)

const kubeletHosts = `# Kubernetes-managed hosts file.
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
fe00::0	ip6-localnet
fe00::0	ip6-mcastprefix
fe00::1	ip6-allnodes
fe00::2	ip6-allrouters
`

func TestAPodsAddressesAreItsLinesInTheKubeletsHostsFile(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct{ hosts, want string }{
		"one":                    {kubeletHosts + "10.244.1.7\tradio-0\n", "[10.244.1.7]"},
		"a subdomain":            {kubeletHosts + "10.244.1.7\tradio-0.radio.music.svc.cluster.local\tradio-0\n", "[10.244.1.7]"},
		"dual stack":             {kubeletHosts + "10.244.1.7\tradio-0\nfd00:10:244:1::7\tradio-0\n", "[10.244.1.7 fd00:10:244:1::7]"},
		"IPv6 only":              {kubeletHosts + "fd00:10:244:1::7\tradio-0\n", "[fd00:10:244:1::7]"},
		"with aliases":           {kubeletHosts + "10.244.1.7\tradio-0\n\n# Entries added by HostAliases.\n10.9.9.9\tradio-0\n", "[10.244.1.7]"},
		"two of one family":      {kubeletHosts + "10.244.1.7\tradio-0\n10.244.1.8\tradio-0\n", "10.244.1.7 and 10.244.1.8 are of one family"},
		"no line of its own":     {kubeletHosts, "no line of the pod"},
		"the host's network":     {"# Kubernetes-managed hosts file (host network).\n127.0.0.1\tlocalhost\n192.0.2.1\tnode-1\n", "a network of its own"},
		"an image's file":        {"127.0.0.1\tlocalhost\n172.17.0.2\tradio-0\n", "a network of its own"},
		"nothing":                {"", "a network of its own"},
		"what is not an address": {kubeletHosts + "x\ty\n10.244.1.7\tradio-0\n", "[10.244.1.7]"},
	} {
		ips, err := route.HostsIPs(strings.NewReader(c.hosts))
		got := fmt.Sprint(ips)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}

func TestAddressesOfFlagsAreChecked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10.1.0.1": "[10.1.0.1]", "10.1.0.1, fd00::1": "[10.1.0.1 fd00::1]", "FD00:0::1": "[fd00::1]", "::ffff:10.1.0.1": "[10.1.0.1]",
		"": "not an IP", "10.1.0.1,": "not an IP", "10.1.0": "not an IP", "10.1.0.1,10.1.0.2": "one family",
		"127.0.0.1": "other nodes", "0.0.0.0": "other nodes", "fe80::1": "other nodes", "fd00::1%eth0": "other nodes",
	} {
		ips, err := route.ParseIPs(text)
		got := fmt.Sprint(ips)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
