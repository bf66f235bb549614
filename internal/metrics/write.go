package metrics

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
)

// label is one label of a sample.
type label struct{ name, value string }

// page is what one scrape shows. It is written with little garbage, as what a
// scrape leaves is memory that every pod pays for.
type page struct {
	bytes.Buffer
	common string // the labels of every sample, as they are written
}

// newPage begins a page whose samples all have some labels.
func newPage(common ...label) *page {
	p := &page{}
	p.labels(common)
	p.common = p.String()
	p.Reset()
	p.Grow(pageSize)
	return p
}

// pageSize is about what a page has.
const pageSize = 24 << 10

// family begins a metric; its samples follow.
func (p *page) family(name, kind, help string) {
	for _, s := range []string{"# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"} {
		p.WriteString(s)
	}
}

func (p *page) sample(name string, value float64, labels ...label) {
	p.WriteString(name)
	p.WriteByte('{')
	p.WriteString(p.common)
	if p.common != "" && len(labels) > 0 {
		p.WriteByte(',')
	}
	p.labels(labels)
	p.WriteString("} ")
	p.Write(number(p.AvailableBuffer(), value))
	p.WriteByte('\n')
}

func (p *page) labels(all []label) {
	for i, l := range all {
		if i > 0 {
			p.WriteByte(',')
		}
		p.WriteString(l.name)
		p.WriteString(`="`)
		escape.WriteString(p, l.value)
		p.WriteByte('"')
	}
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
		p.sample(name+"_bucket", float64(below), append(slices.Clip(labels), label{"le", string(number(nil, bound))})...)
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

// number appends a value to text.
func number(text []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return strconv.AppendInt(text, int64(v), 10)
	}
	return strconv.AppendFloat(text, v, 'g', -1, 64)
}

func yes(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
