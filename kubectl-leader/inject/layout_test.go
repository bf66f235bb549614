package inject_test

import (
	"encoding/json"
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// kv is a mapping with an order.
type kv []pair

type pair struct {
	key   string
	value any
}

// pen writes values as people do: each in a style of its own.
type pen struct {
	t          *rapid.T
	step, dash int
	b          strings.Builder
	plain      bool // no brackets, so that lines are only added
}

func (p *pen) coin(label string, one, of int) bool {
	return rapid.IntRange(1, of).Draw(p.t, label) <= one
}

func (p *pen) noise(column int) {
	if p.coin("comment", 1, 5) {
		p.b.WriteString(strings.Repeat(" ", column) + rapid.SampledFrom([]string{"# a remark", "# key: value", "#- name: old", "# 'it's"}).Draw(p.t, "text") + "\n")
	}
	if p.coin("blank", 1, 8) {
		p.b.WriteString(rapid.SampledFrom([]string{"\n", "  \n"}).Draw(p.t, "blank line"))
	}
}

func (p *pen) tail() {
	if p.coin("tail", 1, 5) {
		p.b.WriteString("  # so: it is")
	}
	p.b.WriteString("\n")
}

// word writes a scalar.
func (p *pen) word(v any) string {
	s, ok := v.(string)
	if !ok {
		return fmt.Sprint(v)
	}
	data, _ := json.Marshal(s)
	plain := s
	if s == "" || strings.ContainsAny(s, "{}[],&*#?|<>=!%@:\\\"'\n ") {
		plain = string(data)
	}
	return rapid.SampledFrom([]string{plain, string(data), "'" + strings.ReplaceAll(s, "'", "''") + "'"}).Draw(p.t, "quote")
}

func (p *pen) brackets(v any) string {
	gap := rapid.SampledFrom([]string{"", " "}).Draw(p.t, "gap")
	if m, ok := v.(kv); ok && len(m) == 0 {
		return "{}"
	}
	if all, ok := v.([]any); ok && len(all) == 0 {
		return "[]"
	}
	switch v := v.(type) {
	case kv:
		var all []string
		for _, e := range v {
			all = append(all, p.word(e.key)+": "+p.brackets(e.value))
		}
		return "{" + gap + strings.Join(all, ", ") + gap + "}"
	case []any:
		var all []string
		for _, e := range v {
			all = append(all, p.brackets(e))
		}
		return "[" + gap + strings.Join(all, ", ") + gap + "]"
	}
	return p.word(v)
}

// inBrackets decides whether a value is written so.
func (p *pen) inBrackets(v any) bool {
	switch v := v.(type) {
	case kv:
		return len(v) == 0 || !p.plain && p.coin("brackets", 1, 8)
	case []any:
		return len(v) == 0 || !p.plain && p.coin("brackets", 1, 8)
	}
	return true
}

func (p *pen) mapping(m kv, column int, behindDash bool) {
	for i, e := range m {
		if i > 0 || !behindDash {
			p.noise(column)
			p.b.WriteString(strings.Repeat(" ", column))
		}
		p.b.WriteString(p.word(e.key) + ":")
		if text, ok := e.value.(string); ok && strings.Contains(text, "\n") {
			p.b.WriteString(rapid.SampledFrom([]string{" |\n", " |+\n", " |-\n"}).Draw(p.t, "literal"))
			for _, line := range strings.Split(text, "\n") {
				p.b.WriteString(strings.TrimRight(strings.Repeat(" ", column+p.step)+line, " ") + "\n")
			}
			continue
		}
		if p.inBrackets(e.value) {
			p.b.WriteString(" " + p.brackets(e.value))
			p.tail()
			continue
		}
		p.tail()
		switch v := e.value.(type) {
		case kv:
			p.mapping(v, column+p.step, false)
		case []any:
			for _, item := range v {
				p.noise(column + p.dash)
				p.b.WriteString(strings.Repeat(" ", column+p.dash) + "- ")
				if m, ok := item.(kv); ok && !p.inBrackets(item) {
					p.mapping(m, column+p.dash+2, true)
					continue
				}
				p.b.WriteString(p.brackets(item))
				p.tail()
			}
		}
	}
}

// shuffle changes the order of keys, as it is nobody's.
func shuffle(t *rapid.T, m kv) kv {
	if !rapid.Bool().Draw(t, "shuffle") {
		return m
	}
	return rapid.Permutation(m).Draw(t, "order")
}

// sometimes keeps a pair or not.
func sometimes(t *rapid.T, key string, value any) kv {
	if rapid.Bool().Draw(t, key) {
		return kv{{key, value}}
	}
	return nil
}

// workload draws a Deployment or StatefulSet called app.
func workload(t *rapid.T) kv {
	app := kv{{"name", "app"}, {"image", "nginx"}}
	app = append(app, sometimes(t, "command", []any{"sh", "-c", "# no\nexec nginx\n"})...)
	app = append(app, kv{{"ports", []any{kv{{"name", "web"}, {"containerPort", 8080}}}}}...)
	app = append(app, sometimes(t, "readinessProbe", kv{{"httpGet", kv{{"path", "/x"}, {"port", "web"}}}})...)
	app = append(app, sometimes(t, "lifecycle", rapid.SampledFrom([]any{kv{}, kv{{"postStart", kv{{"exec", kv{{"command", []any{"true"}}}}}}}, kv{{"preStop", kv{{"sleep", kv{{"seconds", 3}}}}}}}).Draw(t, "hooks"))...)
	pod := kv{{"containers", append([]any{shuffle(t, app)}, rapid.SampledFrom([][]any{nil, {kv{{"name", "log"}, {"image", "log"}}}}).Draw(t, "second")...)}}
	pod = append(pod, sometimes(t, "initContainers", rapid.SampledFrom([]any{[]any{}, []any{kv{{"name", "first"}, {"image", "x"}}}}).Draw(t, "inits"))...)
	pod = append(pod, sometimes(t, "serviceAccountName", "mine")...)
	pod = append(pod, sometimes(t, "automountServiceAccountToken", false)...)
	pod = append(pod, sometimes(t, "volumes", []any{kv{{"name", "tmp"}, {"emptyDir", kv{}}}})...)
	kind := rapid.SampledFrom([]string{"Deployment", "StatefulSet"}).Draw(t, "kind")
	labels := append(append(kv{{"app", "app"}}, sometimes(t, "tier", "front")...), sometimes(t, "odd", "x\n# y")...)
	spec := kv{{"replicas", 2}, {"selector", kv{{"matchLabels", kv{{"app", "app"}}}}},
		{"template", shuffle(t, kv{{"metadata", shuffle(t, append(kv{{"labels", labels}}, sometimes(t, "annotations", kv{{"text", rapid.SampledFrom([]string{"a\n# b\n\nc", "a\n# b", "a\n\n# b"}).Draw(t, "text")}})...))}, {"spec", shuffle(t, pod)}})}}
	spec = append(spec, sometimes(t, "minReadySeconds", 3)...)
	return shuffle(t, kv{{"apiVersion", "apps/v1"}, {"kind", kind}, {"metadata", kv{{"name", "app"}}}, {"spec", shuffle(t, spec)}})
}

func service(t *rapid.T) kv {
	target := rapid.SampledFrom([]any{"web", 8080}).Draw(t, "targetPort")
	return shuffle(t, kv{{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", kv{{"name", "front"}}},
		{"spec", shuffle(t, kv{{"selector", kv{{"app", "app"}}}, {"ports", []any{kv{{"port", 80}, {"targetPort", target}}}}})}})
}

// manifest draws a whole file.
func manifest(t *rapid.T, plain bool) string {
	p := &pen{t: t, plain: plain, step: rapid.IntRange(1, 4).Draw(t, "step")}
	p.dash = rapid.SampledFrom([]int{0, p.step}).Draw(t, "dash")
	docs := []kv{workload(t), service(t)}
	if rapid.Bool().Draw(t, "more") {
		docs = append(docs, kv{{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", kv{{"name", "c"}}}, {"data", kv{{"a", "x\n---y\n# z\n"}}}})
	}
	docs = rapid.Permutation(docs).Draw(t, "documents")
	if rapid.IntRange(1, 5).Draw(t, "list") == 1 {
		var items []any
		for _, d := range docs {
			items = append(items, d)
		}
		docs = []kv{{{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}}}
	}
	for i, d := range docs {
		if i > 0 || rapid.Bool().Draw(t, "mark") {
			p.b.WriteString(rapid.SampledFrom([]string{"---\n", "--- # next\n", "---\n# head\n"}).Draw(t, "separator"))
		}
		p.mapping(d, 0, false)
	}
	text := p.b.String()
	if rapid.Bool().Draw(t, "no last break") {
		text = strings.TrimRight(text, "\n ")
	}
	if rapid.IntRange(1, 4).Draw(t, "windows") == 1 {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}
