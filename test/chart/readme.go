package chart

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readme is a chart's README with the table of its values anew.
func readme(dir string, all []option) (string, error) {
	text, err := os.ReadFile(dir + "/README.md")
	if err != nil {
		return "", err
	}
	rows, err := described(dir)
	if err != nil {
		return "", err
	}
	if all != nil {
		// The values of this run, which may not be written yet.
		made, err := libraryValues(all)
		if err != nil {
			return "", err
		}
		if rows, err = describe([]byte(made)); err != nil {
			return "", err
		}
	}
	var b strings.Builder
	b.WriteString("| value | default | meaning |\n| --- | --- | --- |\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", r.path, r.fallback, strings.ReplaceAll(r.meaning, "|", `\|`))
	}
	return between(string(text), "<!-- BEGIN values: written by `go test . -update` in test/chart -->", "<!-- END values -->", b.String())
}

// value is a line of the values file that a comment "# -- " describes.
type value struct{ path, fallback, meaning string }

func described(dir string) ([]value, error) {
	data, err := os.ReadFile(dir + "/values.yaml")
	if err != nil {
		return nil, err
	}
	return describe(data)
}

func describe(data []byte) ([]value, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	return walk("", doc.Content[0])
}

// walk goes down until a comment describes what it sees; a value that none
// describes is an error.
func walk(prefix string, node *yaml.Node) (all []value, err error) {
	for i := 0; i < len(node.Content); i += 2 {
		key, content := node.Content[i], node.Content[i+1]
		if _, meaning, ok := strings.Cut(key.HeadComment, "# -- "); ok {
			meaning, _, _ = strings.Cut(meaning, "\n#")
			var plain any
			if err := content.Decode(&plain); err != nil {
				return nil, err
			}
			short, err := json.Marshal(plain)
			if err != nil {
				return nil, err
			}
			all = append(all, value{prefix + key.Value, string(short), strings.TrimSpace(meaning)})
			continue
		}
		if content.Kind != yaml.MappingNode {
			return nil, fmt.Errorf("the value %s%s has no comment that begins with \"# -- \"", prefix, key.Value)
		}
		below, err := walk(prefix+key.Value+".", content)
		if err != nil {
			return nil, err
		}
		all = append(all, below...)
	}
	return all, nil
}
