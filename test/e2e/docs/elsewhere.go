package docs

import (
	"strings"

	"github.com/leader-elector/leader-elector/internal/page"
)

// Entry is a block, or all of a page, whose commands are not typed on the
// cluster of `make e2e` as those of all other pages are.
type Entry struct {
	Page  string
	First string // how the block begins; empty: all of the page
	By    string // the test, or the target of .ci/run, that keeps it
	Why   string
}

func (e Entry) is(name string, b page.Block) bool {
	return e.Page == name && strings.HasPrefix(b.Text, e.First)
}

// Elsewhere is all of them.
var Elsewhere = []Entry{
	{"README.md", "git clone", "make demo", "the clone is what CI has; the demo is a step of its own"},
	{"docs/migrating-from-0.5.md", "", "TestTheCommandsOfTheGuideMoveAnElection", "it needs pods of 0.5's kind beside ours, and a judge over every step"},
}

// Shown are blocks that look like commands, and are what a program printed or
// what is written into some other program.
var Shown = []Entry{
	{"README.md", "A real etcd", "make demo", "what the demo printed on the day that the page names"},
	{"docs/doctor.md", "settings from", "TestEachMissingRightIsNamedByTheRuleThatGrantsIt", "a report about an installation with many faults, of which each has its test"},
	{"docs/run.md", "leader-elector run", "TestScripts", "how it is called; docs/how-to/run.md types it"},
	{"docs/app.md", "worker.sh", "TestLaw09_ShellScriptsActByTheStateFile", "how the example calls it, which is tried on the cluster too"},
}
