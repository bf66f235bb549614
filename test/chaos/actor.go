package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	elector "github.com/leader-elector/leader-elector"
	"golang.org/x/sys/unix"
)

// An act takes a millisecond and comes every two. An app that is told to stop
// acts on for a while: who releases the lock before it has stopped is found out.
const (
	actLength = time.Millisecond
	actPause  = time.Millisecond
	longAct   = 60 * time.Millisecond // every hundredth of the file's app, much less than the margin
	stopsIn   = 300 * time.Millisecond
)

// app is what acts for a candidate: a process of its own, this program again.
// All apps of a run append to one log, and write to one store.
type app struct {
	who   string
	log   *os.File
	store *net.UnixConn
}

// actor is the app of one of the three couplings:
//
//	actor run   NAME LOG STORE            the command of `run`
//	actor file  NAME LOG STORE STATE      reads the state file, acts under its lock
//	actor told  NAME LOG STORE ADDRESS    is told by POST
func actor(args []string) error {
	if len(args) < 4 {
		return errors.New("actor COUPLING NAME LOG STORE [STATE|ADDRESS]")
	}
	log, err := os.OpenFile(args[2], os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	store, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: args[3], Net: "unixgram"})
	if err != nil {
		return err
	}
	a := &app{who: args[1], log: log, store: store}
	switch {
	case args[0] == "run":
		return a.run()
	case args[0] == "file" && len(args) == 5:
		return a.file(args[4])
	case args[0] == "told" && len(args) == 5:
		return a.told(args[4])
	}
	return fmt.Errorf("there is no coupling %q of %d arguments", args[0], len(args))
}

// act writes to the store and spends a moment, and then appends when it began
// and ended, in one write.
func (a *app) act(term string, length time.Duration) error {
	begin := elector.BootTime()
	if _, err := fmt.Fprintf(a.store, "%s %s", term, a.who); err != nil {
		return err
	}
	pause(length)
	_, err := fmt.Fprintf(a.log, "%s %d %d %s\n", term, begin, elector.BootTime(), a.who)
	return err
}

func pause(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	unix.Nanosleep(&t, nil)
}

// run acts for as long as it exists.
func (a *app) run() error {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	var end <-chan time.Time
	for ; ; pause(actPause) {
		select {
		case <-told:
			end = time.After(stopsIn)
		case <-end:
			return nil
		default:
		}
		if err := a.act(os.Getenv("LEADER_ELECTOR_TERM"), actLength); err != nil {
			return err
		}
	}
}

// file acts under a shared lock beside the state file, while that says so.
func (a *app) file(path string) error {
	var lock *os.File
	for n := 1; ; n++ {
		pause(actPause)
		if lock == nil {
			var err error
			if lock, err = os.Open(path + ".lock"); err != nil {
				continue // the sidecar makes it
			}
		}
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_SH); err != nil {
			return err
		}
		var err error
		if term, ok := mayAct(path); ok {
			length := actLength
			if n%100 == 0 {
				length = longAct
			}
			err = a.act(term, length)
		}
		if err := errors.Join(err, syscall.Flock(int(lock.Fd()), syscall.LOCK_UN)); err != nil {
			return err
		}
	}
}

// mayAct reads the state file.
func mayAct(path string) (term string, ok bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", false
	}
	var s struct {
		IsLeader bool
		Term     string
		Deadline float64
	}
	if json.Unmarshal(data, &s) != nil || !s.IsLeader {
		return "", false
	}
	return s.Term, elector.BootTime().Seconds() < s.Deadline
}

// told acts from the news that it leads until it has accepted that it does not,
// or until the time is over that it was told.
func (a *app) told(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	var n news
	failed := make(chan error, 1)
	go func() { failed <- http.Serve(l, &n) }()
	for ; ; pause(actPause) {
		select {
		case err := <-failed:
			return err
		default:
		}
		n.mu.Lock()
		if n.term != "" && elector.BootTime() < n.deadline {
			err = a.act(n.term, actLength)
		}
		n.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// news is the newest that an app was told. The mutex is held through an act.
type news struct {
	mu       sync.Mutex
	term     string // empty: it does not lead
	deadline time.Duration
	sequence uint64
}

// ServeHTTP takes a piece of news. The end of the lead it accepts once nothing
// acts any more.
func (n *news) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := elector.BootTime()
	var said struct {
		IsLeader        bool
		Term            *string
		ValidForSeconds float64
	}
	var sequence uint64
	fmt.Sscan(r.Header.Get("Leader-Elector-Sequence"), &sequence)
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &said) != nil {
		http.Error(w, "not understood", http.StatusBadRequest)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if sequence < n.sequence {
		return // a piece that was broken off, overtaken by a newer one
	}
	n.sequence = sequence
	if n.term != "" && !said.IsLeader {
		n.mu.Unlock()
		pause(stopsIn)
		n.mu.Lock()
	}
	if n.sequence != sequence {
		return // newer news came meanwhile
	}
	n.term = ""
	if said.IsLeader && said.Term != nil {
		n.term, n.deadline = *said.Term, at+time.Duration(said.ValidForSeconds*float64(time.Second))
	}
}

// deed is a line of the log.
type deed struct {
	term       uint64
	begin, end time.Duration
	who        string
}

func parseDeed(line string) (d deed, err error) {
	_, err = fmt.Sscan(line, &d.term, &d.begin, &d.end, &d.who)
	return d, err
}

// deedJudge reads the log from its begin, line by line.
type deedJudge struct {
	acts     int
	terms    int
	newest   uint64        // the highest term so far
	last     time.Duration // the latest end of any act of it
	before   time.Duration // the latest end of any act of a lower term
	beforeBy deed
	latest   deed
	by       map[string]int // acts of each app
}

// judge returns what is wrong with the next act, or "".
func (j *deedJudge) judge(d deed) string {
	j.acts++
	if j.by == nil {
		j.by = map[string]int{}
	}
	j.by[d.who]++
	switch {
	case d.term < j.newest:
		return fmt.Sprintf("%s acts for term %d from %v to %v, written after an act of term %d by %s that began at %v",
			d.who, d.term, d.begin, d.end, j.newest, j.latest.who, j.latest.begin)
	case d.term > j.newest:
		j.terms++
		j.newest, j.before, j.beforeBy = d.term, j.last, j.latest
	}
	if d.begin <= j.before && j.terms > 1 {
		return fmt.Sprintf("%s acts for term %d from %v, while %s acts for term %d until %v", d.who, d.term, d.begin, j.beforeBy.who, j.beforeBy.term, j.before)
	}
	if d.end > j.last || d.term > j.latest.term {
		j.last = max(j.last, d.end)
		j.latest = d
	}
	return ""
}

// storeJudge is a store that refuses terms below the highest that it has seen.
// Its datagrams arrive in the order in which they were sent, so that a late
// reader changes nothing.
type storeJudge struct {
	term    uint64
	taken   int
	refused []string
}

// serve takes writes until end.
func (s *storeJudge) serve(conn *net.UnixConn) {
	defer conn.Close()
	buf := make([]byte, 256)
	for {
		n, err := conn.Read(buf)
		if err != nil || n == 0 {
			return
		}
		s.take(string(buf[:n]))
	}
}

// end sends what no app sends, and what comes after all that they sent.
func (*storeJudge) end(path string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write(nil)
	return err
}

func (s *storeJudge) take(write string) {
	text, who, _ := strings.Cut(write, " ")
	var term uint64
	fmt.Sscan(text, &term)
	if term < s.term {
		s.refused = append(s.refused, fmt.Sprintf("a write of %s for term %d, after one of term %d", who, term, s.term))
		return
	}
	s.term = term
	s.taken++
}
