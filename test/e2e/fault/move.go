package fault

import (
	"context"

	"github.com/leader-elector/leader-elector/internal/page"
	"github.com/leader-elector/leader-elector/test/e2e/docs"
	"github.com/leader-elector/leader-elector/test/e2e/workload"
)

// moving is the document whose commands an operator types to move over.
const moving = "docs/moving-to-endpointslice.md"

// moveOver types what the document says, but for what it needs before its first
// step: the trial has put that there. The namespace is the trial's.
func moveOver(ctx context.Context, t *Trial) error {
	blocks, err := page.Typed(t.Source, moving)
	if err != nil {
		return err
	}
	t.Path, t.Routing = "endpointslice", workload.EndpointSlice // from now on
	r := &docs.Reader{Cluster: t.Cluster, Source: t.Source, Page: moving, Suffix: "-m", Installed: t.Cluster.Programs()}
	return r.Type(ctx, t.Namespace, steps(blocks))
}

// steps are what the document's reader sees.
func steps(blocks []page.Block) (seen []page.Block) {
	for _, b := range blocks {
		if b.Kind != page.Hidden {
			seen = append(seen, b)
		}
	}
	return seen
}
