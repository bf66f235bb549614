package elector

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"syscall"
)

// claimPod binds the abstract socket that only one process of a pod can hold
// for one lock (law 11). It spans the pod's containers, and the kernel frees it
// when the process dies, so its holder knows that its predecessor is dead. The
// returned closer is nil where another process of the pod holds it.
func claimPod(podUID, lock string) (io.Closer, error) {
	name := "@leader-elector/" + podUID + "/" + lock
	if len(name) > 107 { // sun_path, less the byte that makes it abstract
		sum := sha256.Sum256([]byte(name))
		name = "@leader-elector/" + hex.EncodeToString(sum[:])
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return conn, nil
}
