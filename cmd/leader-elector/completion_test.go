package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// offers asks a real shell, which has the script of this program sourced, what
// it offers for a command line.
func offers(t *testing.T, shell, line string) (words []string) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "script")
	var out, errs strings.Builder
	if code := completion([]string{shell}, &out, &errs); code != exitDone {
		t.Fatalf("%d: %s", code, errs.String())
	}
	if err := os.WriteFile(script, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := map[string]*exec.Cmd{
		"bash": exec.CommandContext(ctx, "bash", "--norc", "testdata/completion.bash", script, line),
		"zsh":  exec.CommandContext(ctx, "zsh", "-f", "testdata/completion.zsh", script, line),
		"fish": exec.CommandContext(ctx, "fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", script, line),
	}[shell]
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "TERM=dumb")
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s (make shells installs it): %v\n%s", shell, err, errs.String())
	}
	if shell == "zsh" {
		for _, m := range regexp.MustCompile(`<offer>([^<]*)</offer>`).FindAllStringSubmatch(string(said), -1) {
			words = append(words, m[1])
		}
		return words
	}
	for word := range strings.Lines(string(said)) {
		if word, _, _ = strings.Cut(strings.TrimSpace(word), "\t"); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// bare is an offer without what shells put around a word differently: the flag
// before an equals sign, and the equals sign after a flag.
func bare(word string) string {
	if _, value, ok := strings.Cut(word, "="); ok && value != "" {
		return value
	}
	return strings.TrimSuffix(word, "=")
}

func TestEveryShellOffersWhatTheProgramTakes(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string
	}{
		{"leader-elector st", []string{"status", "step-down"}},
		{"leader-elector --log-f", []string{"--log-format"}},
		{"leader-elector --lo", []string{"--lock", "--log-format", "--log-level"}},
		{"leader-elector --lock=", []string{"endpoints", "endpoints+leases", "leases"}},
		{"leader-elector --lock=le", []string{"leases"}},
		{"leader-elector --election=music --route=", []string{"endpointslice", "label", "none"}},
		{"leader-elector probe ", []string{"leader", "ready", "standby"}},
		{"leader-elector step-down --t", []string{"--timeout", "--to"}},
		{"leader-elector status --output=", []string{"json", "text"}},
		{"leader-elector doctor --out", []string{"--output"}},
		{"leader-elector run --on-exit=h", []string{"handover"}},
		{"leader-elector completion z", []string{"zsh"}},
	} {
		for _, shell := range []string{"bash", "zsh", "fish"} {
			t.Run(shell+"/"+c.line, func(t *testing.T) {
				t.Parallel()
				var found []string
				for _, word := range offers(t, shell, c.line) {
					found = append(found, bare(word))
				}
				slices.Sort(found)
				if !slices.Equal(found, c.want) {
					t.Errorf("%s offers %q, want %q", shell, found, c.want)
				}
			})
		}
	}
}

// TestEveryFlagIsOffered: of each subcommand, in each shell's script.
func TestEveryFlagIsOffered(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		for _, s := range syntaxes() {
			if len(s.flags) == 0 {
				continue
			}
			t.Run(shell+"/"+s.command, func(t *testing.T) {
				t.Parallel()
				found := offers(t, shell, strings.ReplaceAll("leader-elector "+s.command+" --", "  ", " "))
				for i := range found {
					found[i] = bare(found[i])
				}
				for _, f := range s.flags {
					if !slices.Contains(found, "--"+f.Name) {
						t.Errorf("%s does not offer --%s; it offers %q", shell, f.Name, found)
					}
				}
			})
		}
	}
}

// TestTheProgramTakesEveryWordThatIsOffered: and for each flag with choices no
// other, so that a new choice is offered too.
func TestTheProgramTakesEveryWordThatIsOffered(t *testing.T) {
	nothing := func(string) (string, bool) { return "", false }
	fault := func(flag, word string) bool {
		var err error
		if flag == "output" {
			err = (&question{command: "status"}).parse([]string{"--output=" + word}, nothing)
		} else {
			_, err = parse([]string{"run", "--election=x", "--service=x", "--" + flag + "=" + word, "--", "/bin/sh"}, nothing)
		}
		return err != nil && strings.Contains(err.Error(), strconv.Quote(word))
	}
	for flag, words := range choices {
		for _, word := range words {
			if fault(flag, word) {
				t.Errorf("--%s=%s is offered and refused", flag, word)
			}
		}
		if !fault(flag, "something-else") {
			t.Errorf("--%s takes any word, so its choices offer too few", flag)
		}
	}
}
