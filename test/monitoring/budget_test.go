package monitoring

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// The budget of the sidecar with metrics and events in it.
const (
	mostResident = 14 << 10 // KiB
	mostProgram  = 11_500_000
)

// Every pod of a fleet pays for the sidecar's memory, so it is measured with all
// that can be switched on, after as many scrapes as two hours bring.
func TestTheSidecarStaysWithinItsBudget(t *testing.T) {
	t.Parallel()
	s := full(t)
	for range 480 {
		if _, err := s.get("/metrics"); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	memory := func(what string) int {
		_, rest, _ := strings.Cut(string(data), what+":")
		kib, err := strconv.Atoi(strings.Fields(rest)[0])
		if err != nil {
			t.Fatal(err)
		}
		return kib
	}
	info, err := os.Stat(program(t))
	if err != nil {
		t.Fatal(err)
	}
	resident, private := memory("VmRSS"), memory("RssAnon")
	t.Logf("%.1f MiB resident, %.1f MiB private, program %.2f MB", float64(resident)/1024, float64(private)/1024, float64(info.Size())/1e6)
	if resident > mostResident {
		t.Errorf("%d KiB are resident, at most %d are allowed", resident, mostResident)
	}
	if info.Size() > mostProgram {
		t.Errorf("the program has %d bytes, at most %d are allowed", info.Size(), mostProgram)
	}
}
