package doctor

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// skewLimit is where a wall clock misleads readers of logs, and 0.5's and
// client-go's people. No law of ours compares wall clocks.
const skewLimit = 2 * time.Second

const clockSourceFile = "/sys/devices/system/clocksource/clocksource0/current_clocksource"

// clock looks at what time it is here, and by what it is counted.
func clock(_ context.Context, p *patient) {
	if p.api.answers() {
		skew := p.api.skew.Round(100 * time.Millisecond)
		text := fmt.Sprintf("the wall clock is within %v of the API server's", skewLimit)
		if skew.Abs() > skewLimit+p.api.round {
			p.warn(finding{text: fmt.Sprintf("the wall clock is %v %s the API server's: the election does not mind, but logs, since and token expiry mislead", skew.Abs(), map[bool]string{true: "ahead of", false: "behind"}[skew > 0]),
				mend: "let NTP (chrony, systemd-timesyncd) set this node's clock"})
		} else {
			p.ok("%s", text)
		}
	}
	if err := bootClock(); err != nil {
		p.fail(finding{text: fmt.Sprintf("there is no clock that counts suspended time: %v", err), mend: "run on Linux 2.6.39 or newer"})
		return
	}
	source, err := os.ReadFile(p.cfg.ClockSource)
	if err != nil {
		return // not on this system, or hidden from the container: no sign of trouble
	}
	name := strings.TrimSpace(string(source))
	if name == "jiffies" || name == "refined-jiffies" {
		p.warn(finding{text: fmt.Sprintf("the kernel counts time by %q, whose rate is rough", name),
			mend: "let the node use tsc, kvm-clock, hyperv_clocksource_tsc_page or arch_sys_counter (" + clockSourceFile + ")"})
		return
	}
	p.ok("the boot clock is there; the kernel counts by %s", name)
}
