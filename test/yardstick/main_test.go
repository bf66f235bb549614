package yardstick

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	elector "github.com/leader-elector/leader-elector"
)

// virtualClock is laid over the elector's clock_linux.go (or clock_darwin.go): the boot clock of a
// bubble is the bubble's own time.
const virtualClock = `package elector

import "time"

var epoch = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)

func bootTime() time.Duration { return time.Now().Round(0).Sub(epoch) }
`

// TestMain runs the tests with the boot clock of the bubbles, in a second go
// test if it has to. Both kinds of candidate then read one clock.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("YARDSTICK_INNER") != "" {
		if elector.BootTime() < 20*365*24*time.Hour {
			fmt.Println("FAIL: the elector's boot clock is not the overlay's")
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	if err := again(); err != nil {
		fmt.Println("FAIL:", err)
		os.Exit(1)
	}
}

// again runs this test once more with the overlay, and with the math/rand of
// client-go's jitter seeded.
func again() error {
	dir, err := os.MkdirTemp("", "yardstick")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return err
	}
	clock, overlay := filepath.Join(dir, "clock.go"), filepath.Join(dir, "overlay.json")
	layers, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "clock_"+runtime.GOOS+".go"): clock}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(clock, []byte(virtualClock), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(overlay, layers, 0o644); err != nil {
		return err
	}
	args := []string{"test", "-overlay", overlay, "-count=1", "."}
	flag.Visit(func(f *flag.Flag) {
		switch name := strings.TrimPrefix(f.Name, "test."); name {
		case "run", "v", "timeout", "short", "failfast", "cpuprofile":
			args = append(args, "-"+name+"="+f.Value.String())
		}
	})
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "YARDSTICK_INNER=1", "CGO_ENABLED=0", "GODEBUG=randseednop=0")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}
