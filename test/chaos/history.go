package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// history is what was done to the lock, by the candidates and by hand.
//
// It is sound to judge the API server and the candidates' preconditions by it,
// for these reasons. All instants are of one monotonic clock in one process.
// The call is stamped before the first byte of the request leaves the recorder
// and the return when the last byte of the answer has arrived there, so an
// operation that was answered took effect between the two, however long any
// network in between kept either. Go's transport repeats a GET on a fresh
// connection where a kept one has died, which lies between the two as well, and
// never a write of which a byte was sent. What got no whole answer, a 5xx, or
// a 409 (which can be the API server's own second try of a write that it has
// committed) may or may not have taken effect, once, at any time after its call.
// Reads without an answer say nothing and are left out; so are lists and
// watches, which may lag, and refusals before the storage (401, 403, 429).
type history struct {
	start time.Time
	path  string // of the lock

	mu       sync.Mutex
	ops      []*operation
	versions map[uint64]shown  // what was seen of each version
	by       map[string]uint64 // the version of each content
	faults   []string
}

// operation is one read or write of the lock.
type operation struct {
	who         string
	kind        string // "get", "put", "create", "delete"
	call, end   int64
	on          shown // put and delete: which version it names
	wrote       string
	status      int // 0: unknown
	got         shown
	resolved    uint64 // version that an unknown write made, if it did
	resolvedUID string
}

func newHistory(path string) *history {
	return &history{start: time.Now(), path: path, versions: map[uint64]shown{}, by: map[string]uint64{}}
}

func (h *history) now() int64 { return int64(time.Since(h.start)) }

// begin notes that a request is handed on, and returns what notes its end.
func (h *history) begin(who, method, uri string, body []byte) func(status int, body []byte) {
	path, _, _ := strings.Cut(uri, "?")
	o := &operation{who: who, end: math.MaxInt64}
	switch {
	case method == http.MethodGet && path == h.path:
		o.kind = "get"
	case method == http.MethodPut && path == h.path:
		o.kind = "put"
		o.on, _ = read(body)
		o.wrote = o.on.content
	case method == http.MethodPost && path == h.path[:strings.LastIndexByte(h.path, '/')]:
		o.kind = "create"
		to, _ := read(body)
		o.wrote = to.content
	case method == http.MethodDelete && path == h.path:
		o.kind = "delete"
		var options struct {
			Preconditions struct {
				UID             string
				ResourceVersion uint64 `json:",string"`
			}
		}
		json.Unmarshal(body, &options)
		o.on = shown{uid: options.Preconditions.UID, version: options.Preconditions.ResourceVersion}
	default:
		return func(int, []byte) {}
	}
	o.call = h.now()
	return func(status int, body []byte) { h.end(o, status, body) }
}

func (h *history) end(o *operation, status int, body []byte) {
	at := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case status == http.StatusOK && o.kind == "delete", status == http.StatusNotFound, status == http.StatusConflict:
		o.status, o.end = status, at
	case status == http.StatusOK || status == http.StatusCreated:
		got, err := read(body)
		if err != nil {
			h.faults = append(h.faults, fmt.Sprintf("%s %s was answered %d with what is not the lock: %v", o.who, o.kind, status, err))
			return
		}
		o.status, o.end, o.got = status, at, got
		h.saw(got)
		if o.wrote != "" && o.wrote != got.content {
			h.faults = append(h.faults, fmt.Sprintf("%s wrote %s and was answered %s", o.who, o.wrote, got.content))
		}
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusTooManyRequests,
		status == http.StatusUnprocessableEntity, status == http.StatusBadRequest:
		return // refused before the storage
	case o.kind == "get":
		return // an unknown read says nothing
	}
	h.ops = append(h.ops, o)
}

// saw holds a version against what was seen of it before. The mutex is held.
func (h *history) saw(s shown) {
	if before, ok := h.versions[s.version]; ok && before != s {
		h.faults = append(h.faults, fmt.Sprintf("version %d was seen as %v and as %v", s.version, before, s))
	}
	h.versions[s.version], h.by[s.content] = s, s.version
}

// observe takes an event of a watch.
func (h *history) observe(line []byte) {
	var e struct {
		Type   string
		Object json.RawMessage
	}
	if json.Unmarshal(line, &e) != nil || e.Type != "ADDED" && e.Type != "MODIFIED" {
		return
	}
	s, err := read(e.Object)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.saw(s)
}

// verdict is what the checker found.
type verdict struct {
	operations, unknown int
	carried             int // of unknown outcome, and yet seen to have been carried out
	result              porcupine.CheckResult
	took                time.Duration
	faults              []string
	info                porcupine.LinearizationInfo
}

// check asks porcupine whether the history is one of a compare-and-swap register.
func (h *history) check(limit time.Duration) verdict {
	h.mu.Lock()
	defer h.mu.Unlock()
	begun := time.Now()
	v := verdict{faults: h.faults, operations: len(h.ops)}
	for i, o := range h.ops {
		if o.status == 0 {
			v.unknown++
		}
		if o.got.version == 0 {
			if h.resolve(o, uint64(i)) && o.status == 0 {
				v.carried++
			}
		}
	}
	closeUnknown(h.ops)
	all := make([]porcupine.Operation, len(h.ops))
	clients := map[string]int{}
	for i, o := range h.ops {
		if _, ok := clients[o.who]; !ok {
			clients[o.who] = len(clients)
		}
		all[i] = porcupine.Operation{ClientId: clients[o.who], Input: o, Output: o, Call: o.call, Return: o.end}
	}
	v.result, v.info = porcupine.CheckOperationsVerbose(register, all, limit)
	v.took = time.Since(begun)
	return v
}

// resolve finds which version an unanswered write has made, by its content. One
// that nobody ever saw gets a number that no version has.
func (h *history) resolve(o *operation, i uint64) (seen bool) {
	if v, ok := h.by[o.wrote]; ok && o.wrote != "" {
		o.resolved, o.resolvedUID = v, h.versions[v].uid
		return true
	}
	o.resolved, o.resolvedUID = math.MaxUint64-i, fmt.Sprintf("nobody saw what operation %d made", i)
	return false
}

// closeUnknown gives unanswered swaps an end where that changes nothing: a
// swap on version v can have an effect only while v is the newest. Once an
// answer has shown a later version, it had it before, or it has none ever. So it
// may be put before the end of that answer. Without this every unknown would be
// concurrent with all that follows, and the search would not end.
func closeUnknown(ops []*operation) {
	var seen []*operation // answers that show a version, by their end
	for _, o := range ops {
		if o.got.version != 0 {
			seen = append(seen, o)
		}
	}
	slices.SortFunc(seen, func(a, b *operation) int { return int(a.end - b.end) })
	for _, o := range ops {
		if o.status != 0 || o.on.version == 0 {
			continue
		}
		from, _ := slices.BinarySearchFunc(seen, o.call, func(s *operation, t int64) int { return int(s.end - t) })
		for _, s := range seen[from:] {
			if s.got.version > o.on.version {
				o.end = s.end
				break
			}
		}
	}
}

// register is the lock as the API promises it: one object, or none, which is
// replaced and deleted by compare-and-swap on uid and resourceVersion.
var register = porcupine.Model{
	Init: func() any { return shown{} },
	Step: func(state, input, _ any) (bool, any) { return step(state.(shown), input.(*operation)) },
	DescribeOperation: func(input, _ any) string {
		o := input.(*operation)
		return fmt.Sprintf("%s %s on %d: %d, %d", o.who, o.kind, o.on.version, o.status, o.got.version)
	},
	DescribeState: func(state any) string { return fmt.Sprint(state.(shown).version) },
}

// step is one operation at one instant.
func step(s shown, o *operation) (bool, shown) {
	absent := s == shown{}
	named := !absent && o.on.uid == s.uid && o.on.version == s.version
	made := shown{uid: o.resolvedUID, version: o.resolved, content: o.wrote}
	switch {
	case o.kind == "get" && o.status == http.StatusNotFound:
		return absent, s
	case o.kind == "get":
		return o.got == s, s
	case o.kind == "delete" && o.status == http.StatusOK:
		return named, shown{}
	case o.kind == "put" && o.status == http.StatusOK:
		return named && o.got.uid == s.uid && o.got.version > s.version, o.got
	case o.kind == "create" && o.status == http.StatusCreated:
		return absent, o.got
	case o.status == http.StatusNotFound:
		return absent, s
	case o.kind == "create" && absent:
		return true, made
	case o.kind == "put" && named:
		made.uid = s.uid
		return true, made
	case o.kind == "delete" && named:
		return true, shown{}
	}
	return true, s // unknown or a conflict, and it did nothing
}
