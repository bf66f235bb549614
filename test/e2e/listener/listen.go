package listener

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Listen asks the Service at the URL once per rate, each time on a new
// connection, and beside it ten times a second on one that is kept. It prints
// a record per answer, and ends with its input.
func Listen(ctx context.Context, in io.Reader, out io.Writer, service string, rate time.Duration) error {
	at, err := url.Parse(service)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { io.Copy(io.Discard, in); cancel() }()
	p, client := newPrinter(out), lone
	if rate < kernelPorts {
		client = portsOnce()
	}
	var work sync.WaitGroup
	work.Go(func() { stream(ctx, p, at.Host) })
	tick := time.NewTicker(rate)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			// A question that waits must not keep the next one from being asked.
			work.Go(func() { once(ctx, p, client, service) })
		case <-ctx.Done():
			work.Wait()
			return nil
		}
	}
}

func once(ctx context.Context, p *printer, client *http.Client, service string) {
	r := Record{Sent: time.Now()}
	status, body, err := ask(ctx, client, service)
	if ctx.Err() != nil {
		return // the end of listening is no failure
	}
	r.Done = time.Now()
	switch {
	case err != nil:
		r.Error = err.Error()
	case status != http.StatusOK:
		r.Error = fmt.Sprint("status ", status)
	default:
		r.Pod = body
	}
	p.print(r)
}

// stream holds one connection as a player does: it never gives one up that is
// merely silent, and makes another when it breaks.
func stream(ctx context.Context, p *printer, host string) {
	for n := 1; ctx.Err() == nil; n++ {
		begun := time.Now()
		err := hold(ctx, p, host, n)
		if ctx.Err() == nil {
			p.print(Record{Stream: n, Sent: begun, Done: time.Now(), Error: err.Error()})
			pause(ctx, 100*time.Millisecond)
		}
	}
}

// hold asks on one connection until it breaks.
func hold(ctx context.Context, p *printer, host string, n int) error {
	if !strings.Contains(host, ":") {
		host += ":80"
	}
	dialer := net.Dialer{Timeout: patience, KeepAlive: -1}
	conn, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	read := bufio.NewReader(conn)
	for ctx.Err() == nil {
		r := Record{Stream: n, Sent: time.Now()}
		if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host); err != nil {
			return err
		}
		resp, err := http.ReadResponse(read, nil)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		r.Done, r.Pod = time.Now(), strings.TrimSpace(string(body))
		p.print(r)
		pause(ctx, 100*time.Millisecond)
	}
	return ctx.Err()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// Ask asks pods themselves whether they lead, twenty times a second each. It
// reads the pods from its input, a line of name and address each, prints a
// record per answer, and ends with its input.
func Ask(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := newPrinter(out)
	var work sync.WaitGroup
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if name, address, ok := strings.Cut(lines.Text(), " "); ok {
			work.Go(func() { askPod(ctx, p, name, address) })
		}
	}
	cancel()
	work.Wait()
	return nil
}

func askPod(ctx context.Context, p *printer, name, address string) {
	for ctx.Err() == nil {
		r := Record{Pod: name, Sent: time.Now()}
		status, _, err := ask(ctx, lone, "http://"+net.JoinHostPort(address, "4040")+"/leader")
		r.Done, r.Leads = time.Now(), err == nil && status == http.StatusOK
		if err != nil {
			r.Error = err.Error()
		}
		if ctx.Err() == nil {
			p.print(r)
		}
		pause(ctx, 50*time.Millisecond-time.Since(r.Sent))
	}
}
