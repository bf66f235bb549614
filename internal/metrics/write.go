package metrics

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// label is one label of a sample.
type label struct{ name, value string }

// page is what one scrape shows.
type page struct {
	bytes.Buffer
	common []label // of every sample
}

// family begins a metric; its samples follow.
func (p *page) family(name, kind, help string) {
	fmt.Fprintf(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (p *page) sample(name string, value float64, labels ...label) {
	p.WriteString(name)
	p.WriteByte('{')
	for i, l := range slices.Concat(p.common, labels) {
		if i > 0 {
			p.WriteByte(',')
		}
		p.WriteString(l.name + `="` + escape.Replace(l.value) + `"`)
	}
	p.WriteString("} " + number(value) + "\n")
}

// gauge is a metric of one sample.
func (p *page) gauge(name, help string, value float64) {
	p.family(name, "gauge", help)
	p.sample(name, value)
}

// counter is a counter of one sample.
func (p *page) counter(name, help string, value float64) {
	p.family(name, "counter", help)
	p.sample(name, value)
}

// histogram writes the samples of one histogram.
func (p *page) histogram(name string, h *histogram, labels ...label) {
	below := uint64(0)
	for i, bound := range h.bounds {
		below += h.counts[i]
		p.sample(name+"_bucket", float64(below), append(slices.Clip(labels), label{"le", number(bound)})...)
	}
	p.sample(name+"_bucket", float64(h.count), append(slices.Clip(labels), label{"le", "+Inf"})...)
	p.sample(name+"_sum", h.sum, labels...)
	p.sample(name+"_count", float64(h.count), labels...)
}

// histogram counts values by their size. Its owner guards it.
type histogram struct {
	bounds []float64 // each bucket holds what is at most its bound
	counts []uint64
	count  uint64
	sum    float64
}

func newHistogram(bounds []float64) *histogram {
	return &histogram{bounds: bounds, counts: make([]uint64, len(bounds))}
}

func (h *histogram) observe(v float64) {
	h.count++
	h.sum += v
	if i, _ := slices.BinarySearch(h.bounds, v); i < len(h.counts) {
		h.counts[i]++
	}
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func yes(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
