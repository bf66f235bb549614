package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// echo is a server that sends lines back, behind a link. It tells what it got.
func echo(t *testing.T) (*link, net.Conn, *bufio.Reader, <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	got := make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for lines := bufio.NewScanner(c); lines.Scan(); {
					got <- lines.Text()
					fmt.Fprintln(c, lines.Text())
				}
			}()
		}
	}()
	k, err := newLink("test", "127.0.0.1:0", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.proxy.Stop)
	c, err := net.Dial("tcp", k.proxy.Listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return k, c, bufio.NewReader(c), got
}

func say(t *testing.T, c net.Conn, line string) {
	t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	if got, err := r.ReadString('\n'); err != nil || got != want+"\n" {
		t.Fatalf("heard %q, %v; want %q", got, err, want)
	}
}

func TestWhatWasHeldBackArrivesWhenTheNetworkHeals(t *testing.T) {
	k, c, r, got := echo(t)
	say(t, c, "before")
	hear(t, r, "before")
	k.sky[requests].set(mode{kind: "hold"})
	say(t, c, "held")
	c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if line, err := r.ReadString('\n'); err == nil {
		t.Fatalf("heard %q while requests were held back", line)
	}
	if err := c.Close(); err != nil { // whoever said it has given up
		t.Fatal(err)
	}
	k.sky[requests].set(mode{})
	for _, want := range []string{"before", "held"} {
		select {
		case line := <-got:
			if line != want {
				t.Errorf("the server got %q, want %q", line, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%q did not arrive", want)
		}
	}
}

func TestWhatIsSlowArrivesWholeEvenIfTheFaultEndsInItsMiddle(t *testing.T) {
	for _, slow := range []mode{
		{kind: "late", late: time.Hour}, {kind: "late", late: 5 * time.Millisecond},
		{kind: "drip", bytes: 7, late: time.Hour}, {kind: "drip", bytes: 7, late: time.Millisecond},
	} {
		for _, direction := range []string{requests, answers} {
			k, c, r, _ := echo(t)
			line := strings.Repeat("a long line ", 100)
			k.sky[direction].set(slow)
			say(t, c, line)
			if slow.late == time.Hour {
				k.sky[direction].set(mode{})
			}
			hear(t, r, line)
		}
	}
}

func TestNoConnectionLivesOnWithAHole(t *testing.T) {
	for _, direction := range []string{requests, answers} {
		k, c, r, _ := echo(t)
		say(t, c, "before")
		hear(t, r, "before")
		k.sky[direction].set(mode{kind: "lose"})
		say(t, c, "lost")
		c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if line, err := r.ReadString('\n'); err == nil {
			t.Fatalf("heard %q while %s were lost", line, direction)
		}
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		k.sky[direction].set(mode{})
		if line, err := r.ReadString('\n'); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("heard %q, %v after %s were lost, want a reset", line, err, direction)
		}
	}
}

func TestACutIsAReset(t *testing.T) {
	k, c, r, _ := echo(t)
	say(t, c, "before")
	hear(t, r, "before")
	if err := k.reset(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadString('\n'); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
}

func TestAnAnswerIsResetInItsMiddle(t *testing.T) {
	k, c, r, _ := echo(t)
	say(t, c, "before")
	hear(t, r, "before")
	k.sky[answers].set(mode{kind: "limit", bytes: 3})
	say(t, c, "answer")
	if got, err := r.ReadString('\n'); got != "ans" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("heard %q, %v; want 3 bytes and a reset", got, err)
	}
}
