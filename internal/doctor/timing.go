package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	elector "github.com/leader-elector/leader-elector"
)

// timings holds the durations against each other.
func timings(_ context.Context, p *patient) {
	c := p.cfg
	probe := elector.Config{Election: "x", Namespace: "x", ID: "x", Server: "x", TTL: c.TTL, RenewEvery: c.RenewEvery, HandoverTimeout: c.HandoverTimeout}
	if err := probe.Validate(); err != nil {
		p.fail(finding{text: lines(err), mend: "correct --ttl, --renew-every or --handover-timeout"})
		return
	}
	renew := c.RenewEvery
	if renew == 0 {
		renew = max(c.TTL/3, elector.MinRenewEvery)
	}
	handover := c.HandoverTimeout
	if handover == 0 {
		handover = elector.DefaultHandoverTimeout
	}
	p.ok("ttl %v, renewed every %v; a stop may take %v, so terminationGracePeriodSeconds should be above %d",
		c.TTL, renew.Round(time.Millisecond), handover, int((handover+2*time.Second)/time.Second))
	if len(c.Health) == 0 || c.HealthInterval == 0 {
		return
	}
	seen := time.Duration(max(c.HealthFall, 1))*c.HealthInterval + c.HealthTimeout
	if seen > c.TTL {
		p.warn(finding{text: fmt.Sprintf("an app that hangs is noticed after %v, later than a lost node (ttl %v)", seen, c.TTL),
			mend: "lower --health-interval, --health-timeout or --health-fall: interval × fall + time-out below --ttl"})
		return
	}
	p.ok("an app that hangs is noticed within %v", seen)
}

// lines is a joined error on one line.
func lines(err error) string {
	var all interface{ Unwrap() []error }
	if !errors.As(err, &all) {
		return err.Error()
	}
	var texts []string
	for _, e := range all.Unwrap() {
		texts = append(texts, e.Error())
	}
	return strings.Join(texts, "; ")
}
