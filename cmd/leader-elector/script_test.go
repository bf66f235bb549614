package main

import (
	"flag"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write docs/flags.md from the flags")

// asProgram is the variable that makes the test binary the program itself.
const asProgram = "TEST_AS_LEADER_ELECTOR"

func TestMain(m *testing.M) {
	if path := os.Getenv(asActor); path != "" {
		act(path)
	}
	if os.Getenv(asProgram) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"leader-elector": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"setuid": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(os.Chmod(ts.MkAbs(args[0]), 0o755|os.ModeSetuid))
			},
		},
		Setup: func(env *testscript.Env) error {
			// A port that is taken for as long as the script runs.
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Defer(func() { l.Close() })
			env.Setenv("TAKEN", l.Addr().String())
			env.Setenv("HOME", env.WorkDir)
			return nil
		},
	})
}

func TestFlagsAreDocumentedAsTheyAre(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "flags.md")
	if *update {
		if err := os.WriteFile(path, []byte(markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != markdown() {
		t.Error("docs/flags.md is not what the flags say; run: go test ./cmd/leader-elector -update")
	}
}

func TestEveryFlagIsInTheManual(t *testing.T) {
	listed := map[string]bool{}
	for _, g := range groups {
		for _, name := range g.flags {
			listed[name] = true
		}
	}
	for _, name := range names() {
		if !listed[name] {
			t.Errorf("--%s is in no group of the manual", name)
		}
	}
}

func names() (names []string) {
	(&options{}).flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}
