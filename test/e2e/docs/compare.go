package docs

import (
	"regexp"
	"strings"
)

// loose is what differs from run to run in what a command prints, with what
// stands for it.
var loose = []struct {
	of *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`\b([a-z0-9-]*[a-z0-9])-[0-9a-f]{6,10}-[0-9a-z]{5}\b`), "$1-POD"},
	{regexp.MustCompile(`\b[0-9]{1,3}(\.[0-9]{1,3}){3}\b`), "ADDRESS"},
	{regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`\b([0-9.]+(ns|µs|ms|s|m|h|d))+\b`), "DURATION"},
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f-]{27}\b`), "UID"},
	{regexp.MustCompile(`\b[0-9]+(\.[0-9]+)?\b`), "NUMBER"},
	{regexp.MustCompile(`\s+`), " "},
}

func loosely(line string) string {
	for _, l := range loose {
		line = l.of.ReplaceAllString(line, l.by)
	}
	return strings.TrimSpace(line)
}

// missing returns the first line that was promised and is not printed after
// those before it. Pods' names, addresses, times and numbers may be others, and
// "…" stands for anything.
func missing(promised, printed string) string {
	rest := strings.Split(printed, "\n")
	for line := range strings.Lines(promised) {
		want := loosely(line)
		if want == "" || want == "…" {
			continue
		}
		// The ellipsis is taken out before, so that it does not stick to a word.
		var parts []string
		for p := range strings.SplitSeq(strings.TrimSpace(line), "…") {
			parts = append(parts, regexp.QuoteMeta(loosely(p)))
		}
		like := regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
		found := false
		for i, got := range rest {
			if like.MatchString(loosely(got)) {
				rest, found = rest[i+1:], true
				break
			}
		}
		if !found {
			return strings.TrimSuffix(line, "\n")
		}
	}
	return ""
}
