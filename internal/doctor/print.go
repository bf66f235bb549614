package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Print writes a line per finding, and under it, indented, what mends it.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "settings from %s\n", r.Source)
	counts := map[Level]int{}
	for _, f := range r.Findings {
		counts[f.Level]++
		fmt.Fprintf(&b, "%-4s  %-10s  %s\n", f.Level, f.Examination, oneLine(f.Text))
		if f.Mend != "" {
			fmt.Fprintf(&b, "      mend: %s\n", oneLine(f.Mend))
		}
		for _, rule := range f.Rules {
			fmt.Fprintf(&b, "        - %s\n", rule)
		}
		for _, command := range f.Commands {
			fmt.Fprintf(&b, "        %s\n", command)
		}
	}
	fmt.Fprintf(&b, "%d ok, %d warn, %d FAIL\n", counts[OK], counts[Warn], counts[Fail])
	_, err := io.WriteString(w, b.String())
	return err
}

// PrintJSON writes the report as one JSON object.
func (r *Report) PrintJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Report
		Failed bool `json:"failed"`
	}{*r, r.Failed()})
}

// oneLine keeps what servers and files say from forging a line of the report.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
