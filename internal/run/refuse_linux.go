package run

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// refuse says why a program cannot be run under guard: one that gains rights
// when it starts is taken out of PR_SET_PDEATHSIG's reach by the kernel. For a
// script that is a matter of its interpreter.
func refuse(path string) error {
	for range 5 { // interpreters of interpreters, as many as the kernel follows
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
			return fmt.Errorf("%s is setuid or setgid, which takes it out of the kernel's guard: "+
				"run a command without that bit, as the user that it needs (securityContext.runAsUser)", path)
		}
		if size, err := unix.Getxattr(path, "security.capability", nil); err == nil && size > 0 {
			return fmt.Errorf("%s has file capabilities, which take it out of the kernel's guard: "+
				"remove them (setcap -r) and give the container what it needs (securityContext.capabilities)", path)
		}
		if path = interpreter(path); path == "" {
			return nil
		}
	}
	return nil
}

// interpreter is what a script's first line names; empty: it is no script, or
// the kernel will say what is wrong with it.
func interpreter(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return "" // a program need not be readable to be run
	}
	defer file.Close()
	line, _ := bufio.NewReaderSize(file, 256).ReadSlice('\n')
	rest, ok := strings.CutPrefix(string(line), "#!")
	if !ok {
		return ""
	}
	if words := strings.Fields(rest); len(words) > 0 {
		return words[0]
	}
	return ""
}
