package netfault_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/netfault"
)

// echo answers each line with itself.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

func dial(t *testing.T, f *netfault.Forwarder) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", f.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := say(c, 5*time.Second); err != nil {
		t.Fatalf("a new connection does not pass: %v", err)
	}
	return c
}

func say(c net.Conn, within time.Duration) error {
	c.SetDeadline(time.Now().Add(within))
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		return err
	}
	_, err := bufio.NewReader(c).ReadString('\n')
	return err
}

func TestAFrozenConnectionIsSilentAndANewOnePasses(t *testing.T) {
	f := netfault.Forward(t, echo(t))
	c := dial(t, f)
	if n := f.Freeze(); n != 1 {
		t.Fatalf("froze %d connections, want 1", n)
	}
	if err := say(c, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a frozen connection: %v, want a deadline", err)
	}
	dial(t, f)
	if n := f.Freeze(); n != 1 {
		t.Errorf("froze %d connections, want only the new one", n)
	}
}

func TestACutConnectionEndsAndANewOnePasses(t *testing.T) {
	f := netfault.Forward(t, echo(t))
	c := dial(t, f)
	f.Cut()
	if err := say(c, 5*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a cut connection: %v, want its end", err)
	}
	dial(t, f)
	if f.Accepted() != 2 {
		t.Errorf("accepted %d, want 2", f.Accepted())
	}
}

func TestTheEndOfAConnectionPasses(t *testing.T) {
	f := netfault.Forward(t, echo(t))
	c := dial(t, f)
	c.(*net.TCPConn).CloseWrite()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the end: %v, want EOF", err)
	}
}

func TestWhileItIsShutNothingPasses(t *testing.T) {
	f := netfault.Forward(t, echo(t))
	old := dial(t, f)
	f.Shut()
	if say(old, 5*time.Second) == nil {
		t.Error("the connection that stood still carries")
	}
	for range 3 {
		if c, err := net.Dial("tcp", f.Addr()); err == nil {
			if say(c, 5*time.Second) == nil {
				t.Error("a new connection carries")
			}
			c.Close()
		}
	}
	f.Open()
	dial(t, f)
}
