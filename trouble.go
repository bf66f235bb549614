package elector

import (
	"strings"
	"time"
)

// troubles are the things that are wrong now, by what they concern.
type troubles struct {
	order []string // concerns, the newest trouble last
	of    map[string]trouble
	seen  map[string]bool // what was already logged of the troubles that last
}

type trouble struct {
	text  string
	since time.Time
}

// add notes a trouble and says whether it is worth a line in the log: the same
// trouble with other numbers in it (ports, versions) is not, so that an outage
// is a few lines and not a stream.
func (t *troubles) add(concern, text string) bool {
	if t.of == nil {
		t.of, t.seen = map[string]trouble{}, map[string]bool{}
	}
	old, had := t.of[concern]
	since := old.since
	if !had {
		t.order = append(t.order, concern)
		since = time.Now()
	}
	t.of[concern] = trouble{text: text, since: since}
	key := concern + ": " + strings.Map(dropDigits, text)
	isNew := !t.seen[key]
	t.seen[key] = true
	return isNew
}

func dropDigits(r rune) rune {
	if r >= '0' && r <= '9' {
		return -1
	}
	return r
}

// clear says whether there was such a trouble.
func (t *troubles) clear(concern string) bool {
	if _, had := t.of[concern]; !had {
		return false
	}
	delete(t.of, concern)
	for i, c := range t.order {
		if c == concern {
			t.order = append(t.order[:i], t.order[i+1:]...)
			break
		}
	}
	for key := range t.seen {
		if strings.HasPrefix(key, concern+": ") {
			delete(t.seen, key)
		}
	}
	return true
}

// now is the trouble that began last.
func (t *troubles) now() (string, time.Time) {
	if len(t.order) == 0 {
		return "", time.Time{}
	}
	x := t.of[t.order[len(t.order)-1]]
	return x.text, x.since
}
