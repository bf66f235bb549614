package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// procOf makes a folder like /proc, of command lines by process; "self" and the
// processes of the list share a file system.
func procOf(t *testing.T, lines map[string]string, here ...string) string {
	t.Helper()
	proc := t.TempDir()
	for pid, line := range lines {
		if err := os.MkdirAll(filepath.Join(proc, pid, "ns"), 0o755); err != nil {
			t.Fatal(err)
		}
		mnt := "mnt:[2]"
		if slices.Contains(here, pid) {
			mnt = "mnt:[1]"
		}
		cmdline := strings.ReplaceAll(line, " ", "\x00") + "\x00"
		if err := os.WriteFile(filepath.Join(proc, pid, "cmdline"), []byte(cmdline), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(mnt, filepath.Join(proc, pid, "ns", "mnt")); err != nil {
			t.Fatal(err)
		}
	}
	return proc
}

func TestTheDoctorTakesTheFlagsOfTheSidecarBesideIt(t *testing.T) {
	t.Parallel()
	self := "/leader-elector doctor"
	for name, c := range map[string]struct {
		lines map[string]string
		here  []string
		want  string
		pid   int
		none  bool
	}{
		"process 1":               {map[string]string{"1": "/leader-elector --election=music --ttl=8s", "self": self}, nil, "--election=music --ttl=8s", 1, false},
		"all by the environment":  {map[string]string{"1": "/leader-elector", "self": self}, nil, "", 1, false},
		"run":                     {map[string]string{"1": "/leader-elector run --election=music -- /app --election=x", "self": self}, nil, "--election=music", 1, false},
		"under an init":           {map[string]string{"1": "/pause", "17": "/leader-elector --election=music", "30": "/app", "self": self}, []string{"self", "17", "30"}, "--election=music", 17, false},
		"another container's":     {map[string]string{"1": "/pause", "17": "/leader-elector --election=music", "self": self}, []string{"self"}, "", 0, true},
		"several":                 {map[string]string{"1": "/init", "17": "/leader-elector --election=a", "18": "/leader-elector --election=b", "self": self}, []string{"self", "17", "18"}, "", 0, true},
		"another doctor or probe": {map[string]string{"1": "/leader-elector doctor", "17": "/leader-elector probe leader", "self": self}, []string{"self", "17"}, "", 0, true},
		"an app":                  {map[string]string{"1": "/app --election=x", "self": self}, []string{"self", "1"}, "", 0, true},
		"a kernel thread":         {map[string]string{"1": "", "self": self}, []string{"self", "1"}, "", 0, true},
	} {
		args, pid, ok := sidecarArgs(procOf(t, c.lines, c.here...))
		if got := strings.Join(args, " "); ok == c.none || got != c.want || pid != c.pid {
			t.Errorf("%s: %q of process %d, %v", name, got, pid, ok)
		}
	}
}

// diagnose runs the subcommand as in a pod, with these arguments.
func diagnose(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	values := map[string]string{}
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		values[name] = value
	}
	var out, errs bytes.Buffer
	code = run(ctx, append([]string{"doctor"}, args...), func(name string) (string, bool) { v, ok := values[name]; return v, ok }, &out, &errs)
	return code, out.String(), errs.String()
}

func TestTheDoctorsExitCodeSaysWhetherAnythingIsBroken(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music"}
	env := podRoot(t, p, c)
	code, out, errs := diagnose(t, env, "--election=music", "--http=")
	if code != exitDone || errs != "" || !strings.Contains(out, "0 FAIL") || !strings.Contains(out, "from the flags given to doctor") {
		t.Errorf("a sound pod: exit code %d\n%s%s", code, out, errs)
	}
	if strings.Contains(out, "eyJ") {
		t.Errorf("the report shows the token:\n%s", out)
	}
	c.Without = []string{"update"}
	env = podRoot(t, p, c)
	deadline := time.Now().Add(30 * time.Second) // the server's view of a Role follows its write
	for code = exitDone; code == exitDone && time.Now().Before(deadline); {
		code, out, errs = diagnose(t, env, "--election=music", "--http=", "-o", "json")
	}
	var report struct {
		Failed   bool
		Findings []struct {
			Level string
			Rules []string
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != exitFailed || !report.Failed || errs != "" {
		t.Errorf("without update: exit code %d, %v\n%s%s", code, err, out, errs)
	}
	if code, out, errs = diagnose(t, env, "--election=music", "--ttl=3s"); code != exitUsage || out != "" || errs == "" {
		t.Errorf("wrong usage: exit code %d\n%s%s", code, out, errs)
	}
	code, out, errs = diagnose(t, []string{"KUBERNETES_SERVICE_HOST=127.0.0.1", "KUBERNETES_SERVICE_PORT=1", "LEADER_ELECTOR_POD_ROOT=" + t.TempDir()}, "--election=music")
	if code != exitFailed || !strings.Contains(out, "automountServiceAccountToken") || errs != "" {
		t.Errorf("without a token: exit code %d\n%s%s", code, out, errs)
	}
}

// TestTheDoctorReadsWhatTheSidecarWrites looks at a sidecar that leads and
// routes: what it writes must be sound in the doctor's eyes.
func TestTheDoctorReadsWhatTheSidecarWrites(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	c := testplane.Candidate{Namespace: p.Namespace(t), Pod: "a", Election: "music", Service: "radio"}
	makeService(t, p, c.Namespace, `{"ports":[{"port":80,"targetPort":8080}]}`)
	env := podAt(t, p, c, "10.1.0.1")
	app := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(app.Close)
	well := "--health-check=tcp://" + app.Listener.Addr().String()
	a := execute(t, c, env, append(strings.Fields(sliceFlags), "--new-lock=immediate", well))
	eventually(t, "the Service leading to a", func() bool { return routedTo(t, p, c.Namespace) == "10.1.0.1" })
	flags := append(strings.Fields(sliceFlags), well, "--election=music", "--ttl=4s", "--http="+strings.TrimPrefix(a.url, "http://"))
	var out string
	eventually(t, "the doctor finding nothing broken", func() bool {
		var code int
		code, out, _ = diagnose(t, env, flags...)
		return code == exitDone
	})
	for _, want := range []string{"a holds the lock, term", "the slice radio-leader-ipv4 sends traffic to 10.1.0.1", "fits --route=endpointslice", "ok    health      tcp://", "the sidecar on " + a.url + "/status leads"} {
		if !strings.Contains(out, want) {
			t.Errorf("the report lacks %q:\n%s", want, out)
		}
	}
	sick := "--health-check=" + app.URL + "/well?token=secret"
	if code, out, _ := diagnose(t, env, append(flags, sick)...); code != exitFailed || !strings.Contains(out, "FAIL  health      "+app.URL+"/well: ") || strings.Contains(out, "secret") {
		t.Errorf("with a check that does not hold: exit code %d\n%s", code, out)
	}
}
