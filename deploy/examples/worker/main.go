// Command worker acts ten times a second. It knows nothing of elections: it
// exists only while its pod leads (leader-elector run), and puts the lead's term
// (the fencing token) on what it does. With -acts it ends after so many.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

func main() {
	acts := flag.Int("acts", 0, "how many `times` to act; 0: until the end of the lead")
	flag.Parse()
	term := os.Getenv("LEADER_ELECTOR_TERM")
	for n := 1; *acts == 0 || n <= *acts; n++ {
		// The first number is the clock that all containers of a node share.
		uptime, _ := os.ReadFile("/proc/uptime")
		now, _, _ := strings.Cut(string(uptime), " ")
		fmt.Printf("term %s act %d at %s\n", term, n, now)
		time.Sleep(100 * time.Millisecond)
	}
}
