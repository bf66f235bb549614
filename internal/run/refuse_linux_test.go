package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWhatTheKernelWouldNotGuardIsRefused(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	setuid := file("setuid", "program", 0o755|os.ModeSetuid)
	setgid := file("setgid", "program", 0o755|os.ModeSetgid)
	capable := file("capable", "program", 0o755)
	// struct vfs_cap_data, version 2, effective, with CAP_NET_BIND_SERVICE.
	caps := []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if err := unix.Setxattr(capable, "security.capability", caps, 0); err != nil {
		t.Fatalf("a file capability cannot be set (run the tests as root): %v", err)
	}
	for path, want := range map[string]string{
		file("plain", "program", 0o755):                     "",
		file("script", "#!/bin/sh\ntrue\n", 0o755):          "",
		file("setuid-script", "#!"+setuid+" -x\n", 0o755):   setuid + " is setuid or setgid",
		file("nested", "#! "+dir+"/setuid-script\n", 0o755): setuid + " is setuid or setgid",
		file("circle", "#!"+dir+"/circle\n", 0o755):         "",
		setuid:                       setuid + " is setuid or setgid",
		setgid:                       setgid + " is setuid or setgid",
		capable:                      capable + " has file capabilities",
		filepath.Join(dir, "absent"): "no such file",
	} {
		err := refuse(path)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
