package docs

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leader-elector/leader-elector/internal/page"
	"go.yaml.in/yaml/v3"
)

const source = "../../.."

func TestEveryBlockOfYAMLIsYAML(t *testing.T) {
	pages, err := page.Pages(source)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range pages {
		blocks, err := page.Read(filepath.Join(source, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			if err := parses(b.Text); b.Kind == "yaml" && err != nil {
				t.Errorf("%s, line %d: %v", name, b.Line, err)
			}
		}
	}
}

func parses(text string) error {
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var any any
		if err := d.Decode(&any); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestATranscriptIsComparedLoosely(t *testing.T) {
	printed := "NAME    HOLDER                  AGE\nmusic   music-6f9d4c8b7d-x2x8k   14s\nlast line: 10.77.1.4 and more\n"
	for promised, want := range map[string]string{
		"NAME HOLDER AGE\nmusic music-7d4b9c6f5-pq4tz 2m3s\n": "",
		"…\nlast line: … more\n":                              "",
		"last line: 10.0.0.1 and more\nNAME HOLDER AGE\n":     "NAME HOLDER AGE",
		"music nobody 14s\n":                                  "music nobody 14s",
		"":                                                    "",
	} {
		if got := missing(promised, printed); got != want {
			t.Errorf("%q: missing is %q, want %q", promised, got, want)
		}
	}
}

func TestAReaderHasNamespacesOfHisOwn(t *testing.T) {
	r := &Reader{Suffix: "-x"}
	for text, want := range map[string]string{
		"kubectl get lease -n music":                         "kubectl get lease -n music-x",
		"kubectl get pods --namespace=music -A":              "kubectl get pods --namespace=music-x -A",
		"namespace: music\nname: music":                      "namespace: music-x\nname: music",
		"kubectl create namespace music":                     "kubectl create namespace music-x",
		"kubectl -n kube-system get pods; -n \"$namespace\"": "kubectl -n kube-system get pods; -n \"$namespace\"",
		"head -n 3":  "head -n 3",
		"-n music-x": "-n music-x",
	} {
		if got := r.own(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
