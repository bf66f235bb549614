package inject

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// port is a number that a probe or a Service names, in a container.
func port(c map[string]any, v any) (int, bool) {
	switch v := v.(type) {
	case int:
		return v, v > 0
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return n, n > 0
		}
		for _, p := range list(c, "ports") {
			if p["name"] == v {
				n, ok := p["containerPort"].(int)
				return n, ok
			}
		}
	}
	return 0, false
}

// list is a list of mappings in a mapping.
func list(m map[string]any, key string) (all []map[string]any) {
	items, _ := m[key].([]any)
	for _, i := range items {
		if m, ok := i.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}

// healthCheck is what the sidecar asks the app, from what the kubelet asks it:
// its readiness, else its liveness, else that its first port is open. Questions
// to the sidecar itself do not count, and neither do commands.
func healthCheck(c map[string]any, sidecar int) (url, note string) {
	for _, key := range []string{"readinessProbe", "livenessProbe"} {
		probe, _ := c[key].(map[string]any)
		if get, ok := probe["httpGet"].(map[string]any); ok {
			n, ok := port(c, get["port"])
			if !ok || n == sidecar {
				continue
			}
			if get["httpHeaders"] != nil {
				note = fmt.Sprintf("the %s of the container %v sends headers, and --health-check does not", key, c["name"])
			}
			scheme, _ := get["scheme"].(string)
			path, _ := get["path"].(string)
			return strings.ToLower(or(scheme, "http")) + "://" + address(get["host"], n) + "/" + strings.TrimPrefix(path, "/"), note
		}
		if open, ok := probe["tcpSocket"].(map[string]any); ok {
			if n, ok := port(c, open["port"]); ok && n != sidecar {
				return "tcp://" + address(open["host"], n), ""
			}
		}
	}
	for _, p := range list(c, "ports") {
		protocol, _ := p["protocol"].(string)
		if n, ok := p["containerPort"].(int); ok && n != sidecar && or(protocol, "TCP") == "TCP" {
			return "tcp://" + address(nil, n), fmt.Sprintf("the container %v has no httpGet or tcpSocket probe, so it is fit while its port %d is open; --health-check=URL asks more", c["name"], n)
		}
	}
	return "", ""
}

func address(host any, n int) string {
	h, _ := host.(string)
	return net.JoinHostPort(or(h, "127.0.0.1"), strconv.Itoa(n))
}

func or(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}
