package page

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Pages are the documentation, below the source.
func Pages(source string) ([]string, error) {
	all := []string{"README.md"}
	err := filepath.WalkDir(filepath.Join(source, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			path, err = filepath.Rel(source, path)
			all = append(all, filepath.ToSlash(path))
		}
		return err
	})
	return all, err
}

// Typed are the blocks of a page that are typed on the cluster of `make e2e`:
// without those that another test types.
func Typed(source, name string) (blocks []Block, err error) {
	all, err := Read(filepath.Join(source, name))
	for _, b := range all {
		if !slices.ContainsFunc(Elsewhere, func(e Entry) bool { return e.is(name, b) }) {
			blocks = append(blocks, b)
		}
	}
	return blocks, err
}

// Entry is a block, or all of a page, whose commands are not typed on the
// cluster of `make e2e` as those of all other pages are.
type Entry struct {
	Page  string
	First string // how the block begins; empty: all of the page
	By    string // the test, or the target of .ci/run, that keeps it
	Why   string
}

// is says whether a block of a page is meant.
func (e Entry) is(name string, b Block) bool {
	return e.Page == name && strings.HasPrefix(b.Text, e.First)
}

// Elsewhere is all of them.
var Elsewhere = []Entry{
	{"README.md", "git clone", "make demo", "the clone is what CI has; the demo is a step of its own"},
	{"docs/migrating-from-0.5.md", "", "TestTheCommandsOfTheGuideMoveAnElection", "it needs pods of 0.5's kind beside ours, and a judge over every step"},
	{"docs/install.md", "sha256sum", "TestTheSameCommitGivesTheSameFiles", "a release lies where somebody has published it, and tests have no way out"},
	{"docs/install.md", "skopeo", "TestTheImageIsTheProgramAndCertificates", "there is no registry to push to; the cluster pulls the same image from a folder"},
	{"docs/install.md", "helm install", "make e2e", "the example chart installs it on the same nodes"},
}

// Shown are blocks that look like commands, and are what a program printed or
// what is written into some other program.
var Shown = []Entry{
	{"README.md", "A real etcd", "make demo", "what the demo printed on the day that the page names"},
	{"docs/doctor.md", "settings from", "TestEachMissingRightIsNamedByTheRuleThatGrantsIt", "a report about an installation with many faults, of which each has its test"},
	{"docs/run.md", "leader-elector run", "TestScripts", "how it is called; docs/how-to/run.md types it"},
	{"docs/app.md", "worker.sh", "TestLaw09_ShellScriptsActByTheStateFile", "how the example calls it, which is tried on the cluster too"},
	{"docs/kubectl-leader.md", "", "TestTheReferenceIsWhatHelpSays", "the plugin's help and its examples; test/plugin does what they say"},
	{"docs/events.md", "$ kubectl describe", "TestKubectlDescribeTellsAHandOverOfTheLockAndOfThePods", "the test asks the same of an election of its own"},
	{"docs/metrics.md", "kubectl apply -n monitoring", "TestTheOperatorTakesWhatWeShip", "the kinds are of the Prometheus operator, which the cluster does not have"},
	{"docs/runbook.md", "kubectl -n NS", "TestEachAlertHasAPlaceInTheRunbook", "NS, NAME and POD come with the alert; troubleshooting.md types the same"},
}
