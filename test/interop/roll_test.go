package interop_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/leader-elector/leader-elector/internal/testplane"
)

// crew is who takes part now.
type crew struct {
	mu  sync.Mutex
	all []*member
}

func (c *crew) members() []*member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

func (c *crew) join(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, m)
}

// leave ends a member, and asks it to the end.
func (c *crew) leave(m *member) {
	m.end()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = slices.DeleteFunc(c.all, func(x *member) bool { return x == m })
}

// TestTheRollsFrom05ToLeases is the migration of law 18 on a real API server: two
// pods by 0.5's rules, replaced one by one by endpoints+leases, and those by leases.
func TestTheRollsFrom05ToLeases(t *testing.T) {
	t.Parallel()
	p := testplane.Get(t)
	ns := p.Namespace(t)
	c := &crew{}
	pods := []*member{runOld(t, p, ns, "old-0"), runOld(t, p, ns, "old-1")}
	for _, m := range pods {
		c.join(m)
	}
	judge(t, c.members)
	someone := func() bool { return slices.ContainsFunc(c.members(), func(m *member) bool { return m.acts() }) }
	wait(t, "0.5's lead", someone)
	for _, lock := range []string{"endpoints+leases", "leases"} {
		for i := range pods {
			m := ours(t, p, ns, fmt.Sprintf("%s-%d", map[bool]string{true: "both", false: "lease"}[lock != "leases"], i), lock)
			c.join(m)
			gone := pods[i]
			led := gone.acts()
			c.leave(gone)
			pods[i] = m
			took := wait(t, "a leader after "+gone.name, someone)
			t.Logf("%s joined, %s left (it led: %v); somebody led after %v", m.name, gone.name, led, took)
		}
	}
	wait(t, "the lead of one by leases", func() bool { return pods[0].acts() || pods[1].acts() })
}
