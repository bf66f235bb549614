package controlplane

import (
	"bufio"
	"encoding/json"
	"net"
	"strings"
	"testing"
)

// visitor sends orders to a door over one connection.
type visitor struct {
	conn    net.Conn
	answers *bufio.Reader
}

func visit(t *testing.T, d *Door) visitor {
	t.Helper()
	conn, err := net.Dial("unix", d.Description().Door)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return visitor{conn, bufio.NewReader(conn)}
}

func (v visitor) say(t *testing.T, line string) Reply {
	t.Helper()
	if _, err := v.conn.Write([]byte(line + "\n")); err != nil {
		t.Fatal(err)
	}
	answer, err := v.answers.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var reply Reply
	if err := json.Unmarshal(answer, &reply); err != nil {
		t.Fatal(err)
	}
	return reply
}

func TestTheDoorTakesOrders(t *testing.T) {
	plane := running(t)
	door, err := plane.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := visit(t, door)
	for line, want := range map[string]string{
		`nonsense`:                           "invalid character",
		`{"do":"dance","program":"etcd"}`:    `"dance" is no order`,
		`{"do":"kill","program":"kubelet"}`:  `no program is called "kubelet"`,
		`{"do":"candidate"}`:                 "names no candidate",
		`{"do":"resume","program":"etcd"}`:   "",
		`{"do":"start","program":"etcd"}`:    "",
		`{"do":"namespace","unknown":"yes"}`: "",
	} {
		reply := v.say(t, line)
		if (want == "") != (reply.Error == "") || !strings.Contains(reply.Error, want) {
			t.Errorf("%s is answered %q, want %q", line, reply.Error, want)
		}
	}
	// The order in which a whole control plane comes back: etcd has to be
	// startable while there is no API server that could become ready.
	for _, line := range []string{
		`{"do":"kill","program":"kube-apiserver"}`, `{"do":"kill","program":"etcd"}`,
		`{"do":"start","program":"etcd"}`, `{"do":"start","program":"kube-apiserver"}`,
	} {
		if reply := v.say(t, line); reply.Error != "" {
			t.Errorf("%s is answered %q", line, reply.Error)
		}
	}
	if err := plane.Do(t.Context(), "GET", "/readyz", nil, nil); err != nil {
		t.Errorf("the API server is not ready when its start is answered: %v", err)
	}
	if err := door.Close(); err != nil {
		t.Error(err)
	}
	if _, err := v.answers.ReadByte(); err == nil {
		t.Error("a closed door still holds its visitor")
	}
}
