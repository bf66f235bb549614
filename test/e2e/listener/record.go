// Package listener hears what the world hears of an election: it asks the
// Service who serves, and the pods who leads, from within a node's network,
// and says afterwards how long it was silent.
package listener

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Record is one question and its answer, a line of a listener's output.
type Record struct {
	Sent time.Time `json:"sent"`
	Done time.Time `json:"done"`
	// Stream numbers the kept connection that was used; 0 is a connection of its own.
	Stream int `json:"stream,omitempty"`
	// Pod is who answered, or who was asked whether it leads.
	Pod   string `json:"pod,omitempty"`
	Leads bool   `json:"leads,omitempty"`
	Error string `json:"error,omitempty"`
}

// printer writes records as they come, from several goroutines.
type printer struct {
	mu  sync.Mutex
	out *json.Encoder
}

func newPrinter(w io.Writer) *printer { return &printer{out: json.NewEncoder(w)} }

func (p *printer) print(r Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Encode(r)
}

// patience is how long a question waits for its answer.
const patience = time.Second

// ask sends one request on a connection of its own.
func ask(ctx context.Context, client *http.Client, url string) (status int, body string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, strings.TrimSpace(string(data)), err
}

var lone = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// Ear is a listener that runs as a process in a node's network.
type Ear struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	heard sync.WaitGroup

	mu      sync.Mutex
	records []Record
}

// Start starts a command that prints records until its standard input ends.
func Start(cmd *exec.Cmd) (*Ear, error) {
	e := &Ear{cmd: cmd}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if e.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a listener: %w", err)
	}
	e.heard.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var r Record
			if json.Unmarshal(lines.Bytes(), &r) == nil {
				e.mu.Lock()
				e.records = append(e.records, r)
				e.mu.Unlock()
			}
		}
	})
	return e, nil
}

// Tell writes a line to the listener.
func (e *Ear) Tell(line string) error {
	_, err := fmt.Fprintln(e.in, line)
	return err
}

// Records are those heard so far.
func (e *Ear) Records() []Record {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.records[:len(e.records):len(e.records)]
}

// Stop ends the listener and returns all that it heard.
func (e *Ear) Stop() ([]Record, error) {
	e.in.Close()
	e.heard.Wait()
	return e.Records(), e.cmd.Wait()
}
