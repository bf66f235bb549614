package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// probes asks a candidate as an exec probe does.
func (k *process) probes(t *testing.T, about string) (code int, said string) {
	t.Helper()
	var out, fault bytes.Buffer
	none := func(string) (string, bool) { return "", false }
	code = run(t.Context(), []string{"probe", about, "--http=" + strings.TrimPrefix(k.url, "http://")}, none, &out, &fault)
	return code, strings.TrimSpace(out.String() + fault.String())
}

func TestAProbeAnswersByItsExitCode(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}
	a := launch(t, p, c, "--new-lock=immediate")
	eventually(t, "a leading", func() bool { return a.names("a") })
	c.Pod = "b"
	b := launch(t, p, c)
	eventually(t, "b being able to take over", func() bool { code, _ := b.get("/standby"); return code == 200 })
	for _, want := range []struct {
		of    *process
		about string
		code  int
		said  string
	}{
		{a, "leader", exitDone, "a leads, term "},
		{a, "standby", exitFailed, "leader-elector probe: not standby: a leads"},
		{a, "ready", exitDone, "ready"},
		{b, "leader", exitFailed, "leader-elector probe: not leader: "},
		{b, "standby", exitDone, "b stands by; a leads"},
		{b, "ready", exitDone, "ready"},
	} {
		if code, said := want.of.probes(t, want.about); code != want.code || !strings.HasPrefix(said, want.said) {
			t.Errorf("%s: probe %s ends with %d and says %q; want %d, %q", want.of.name, want.about, code, said, want.code, want.said)
		}
	}
}
