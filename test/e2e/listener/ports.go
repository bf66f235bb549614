package listener

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"
)

// kernelPorts is the rate from which on the kernel may choose the local ports.
// A connection that never comes about, as to a lost node, leaves its
// translation for two minutes: whoever gets its port is sent to the lost pod,
// wherever the Service leads by then. At fifty a second that meets a handful of
// requests; a faster listener would hear little else.
const kernelPorts = 20 * time.Millisecond

// The ports are below those that the kernel gives to others.
const firstPort, lastPort = 1024, 32767

// portsOnce is a client that uses each local port once, which lasts for two
// and a half minutes at 200 requests a second: longer than a translation.
func portsOnce() *http.Client {
	var next atomic.Uint32
	next.Store(rand.Uint32N(lastPort - firstPort))
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		for {
			port := firstPort + int(next.Add(1)%(lastPort-firstPort+1))
			d := net.Dialer{LocalAddr: &net.TCPAddr{Port: port}, KeepAlive: -1}
			conn, err := d.DialContext(ctx, network, address)
			if taken := errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL); !taken || ctx.Err() != nil {
				return conn, err
			}
		}
	}
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}}
}
