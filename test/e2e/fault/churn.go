package fault

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/leader-elector/leader-elector/test/controlplane"
)

type object = map[string]any

// churners are Services that have nothing to do with the trial. The endpoints
// of each change twice a second, as they do in a cluster in which others roll:
// kube-proxy, which applies changes once a second at most, is never idle.
const churners = 4

const churnSpace = "churn"

// churn changes the endpoints of other Services until ctx ends.
func churn(ctx context.Context, plane *controlplane.Plane) error {
	services := "/api/v1/namespaces/" + churnSpace + "/services"
	slices := "/apis/discovery.k8s.io/v1/namespaces/" + churnSpace + "/endpointslices"
	if err := put(ctx, plane, "/api/v1/namespaces", object{"metadata": object{"name": churnSpace}}); err != nil {
		return err
	}
	for i := range churners {
		name := fmt.Sprint("other-", i)
		service := object{"metadata": object{"name": name}, "spec": object{"ports": []object{{"port": 80}}}}
		slice := object{
			"metadata":    object{"name": name, "labels": object{"kubernetes.io/service-name": name}},
			"addressType": "IPv4", "ports": []object{{"port": 80}}, "endpoints": endpoints(0),
		}
		if err := put(ctx, plane, services, service); err != nil {
			return err
		}
		if err := put(ctx, plane, slices, slice); err != nil {
			return err
		}
	}
	go func() {
		tick := time.NewTicker(500 * time.Millisecond / churners)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-tick.C:
				// A fault may have taken the API away: then nothing changes.
				plane.Do(ctx, http.MethodPatch, fmt.Sprintf("%s/other-%d", slices, n%churners), object{"endpoints": endpoints(n)}, nil)
			case <-ctx.Done():
				return
			}
		}
	}()
	return nil
}

func endpoints(n int) []object {
	return []object{{"addresses": []string{fmt.Sprintf("10.99.%d.%d", n/250%250, 1+n%250)}}}
}

// put makes an object, unless it is there.
func put(ctx context.Context, plane *controlplane.Plane, path string, o object) error {
	err := plane.Do(ctx, http.MethodPost, path, o, nil)
	if status, ok := err.(*controlplane.StatusError); ok && status.Code == http.StatusConflict {
		return nil
	}
	return err
}
