package plugin_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/leader-elector/leader-elector/kubectl-leader/cluster"
	"github.com/leader-elector/leader-elector/kubectl-leader/record"
)

// What an operator decides on what was read must not be written on what somebody
// else made of it meanwhile.
func TestALockThatChangedSinceItWasReadIsNotAnnotated(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig, flags.Namespace = &s.plane.Kubeconfig, &s.ns
	c, err := cluster.Connect(flags, "test")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	lease := object{"metadata": object{"name": "music"}, "spec": object{"holderIdentity": "a", "leaseTransitions": 1}}
	leases := "/apis/coordination.k8s.io/v1/namespaces/" + s.ns + "/leases"
	s.must(http.MethodPost, leases, lease)
	s.must(http.MethodPost, s.core("/endpoints"), object{"metadata": object{"name": "music", "annotations": object{
		"control-plane.alpha.kubernetes.io/leader": `{"holderIdentity":"a"}`}}})
	for kind, path := range map[record.Kind]string{record.Leases: s.lease(), record.Endpoints: s.core("/endpoints/music")} {
		old, err := c.Get(ctx, kind, s.ns, "music")
		if err != nil {
			t.Fatal(err)
		}
		s.must(http.MethodPatch, path, object{"metadata": object{"labels": object{"new": "yes"}}})
		note := map[string]any{pausedNote: "true"}
		if _, err := c.Annotate(ctx, old, note, false); !apierrors.IsConflict(err) {
			t.Errorf("%s: it changed since, and annotating says %v", kind, err)
		}
		now, err := c.Get(ctx, kind, s.ns, "music")
		if err != nil || now.Paused {
			t.Errorf("%s: it reads %+v, %v", kind, now, err)
		}
		if after, err := c.Annotate(ctx, now, note, false); err != nil || !after.Paused || after.UID != now.UID {
			t.Errorf("%s: annotating what was read just now: %+v, %v", kind, after, err)
		}
	}
}
