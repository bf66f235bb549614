package plugin_test

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// podAddress is that of a pod, 1 to 9. 192.0.2.0/24 is for documentation, so
// nothing else has these.
func podAddress(n int) string { return fmt.Sprintf("192.0.2.%d", n) }

// raise gives the namespace's loopback the pods' addresses, and a default route,
// without which a kube-apiserver does not start.
func raise() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	up, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	up.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, up); err != nil {
		return fmt.Errorf("raising lo: %w", err)
	}
	for n := 1; n <= 9; n++ {
		alias, err := unix.NewIfreq(fmt.Sprintf("lo:%d", n))
		if err != nil {
			return err
		}
		if err := alias.SetInet4Addr([]byte{192, 0, 2, byte(n)}); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, alias); err != nil {
			return fmt.Errorf("giving lo an address: %w", err)
		}
	}
	index, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, index); err != nil {
		return err
	}
	return defaultRoute(index.Uint32())
}

// defaultRoute makes a device the way to everywhere.
func defaultRoute(device uint32) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	order := binary.NativeEndian
	m := order.AppendUint32(nil, 16+12+8)
	m = order.AppendUint16(m, unix.RTM_NEWROUTE)
	m = order.AppendUint16(m, unix.NLM_F_REQUEST|unix.NLM_F_CREATE|unix.NLM_F_ACK)
	m = append(m, make([]byte, 8)...) // sequence and port: there is one request, and the kernel knows from whom
	m = append(m, unix.AF_INET, 0, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_BOOT, unix.RT_SCOPE_LINK, unix.RTN_UNICAST, 0, 0, 0, 0)
	m = order.AppendUint16(m, 8)
	m = order.AppendUint16(m, unix.RTA_OIF)
	m = order.AppendUint32(m, device)
	if err := unix.Sendto(fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil || n < 20 {
		return fmt.Errorf("adding a default route: %d bytes, %w", n, err)
	}
	if code := int32(order.Uint32(answer[16:])); code != 0 {
		return fmt.Errorf("adding a default route: %w", unix.Errno(-code))
	}
	return nil
}
