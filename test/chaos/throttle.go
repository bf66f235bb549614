package main

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// jail is a priority level without a seat of its own: whoever a flow schema sends
// there runs only while nobody else does.
const jail = "chaos-jail"

const flowcontrol = "/apis/flowcontrol.apiserver.k8s.io/v1/"

func (w *world) makeJail(ctx context.Context) error {
	return w.plane.Do(ctx, http.MethodPost, flowcontrol+"prioritylevelconfigurations", object{
		"metadata": object{"name": jail},
		"spec": object{"type": "Limited", "limited": object{
			"nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0, "limitResponse": object{"type": "Reject"},
		}},
	}, nil)
}

// throttle sends the candidates to the jail for a while, and keeps it busy, so
// that they are answered 429.
func (w *world) throttle(ctx context.Context, d time.Duration) error {
	err := w.plane.Do(ctx, http.MethodPost, flowcontrol+"flowschemas", object{
		"metadata": object{"name": jail},
		"spec": object{
			"priorityLevelConfiguration": object{"name": jail}, "matchingPrecedence": 2, "distinguisherMethod": object{"type": "ByUser"},
			"rules": []object{{
				"subjects":      []object{{"kind": "Group", "group": object{"name": "system:serviceaccounts:" + w.namespace}}},
				"resourceRules": []object{{"verbs": []string{"*"}, "apiGroups": []string{"*"}, "resources": []string{"*"}, "namespaces": []string{"*"}, "clusterScope": true}},
			}},
		},
	}, nil)
	if err != nil {
		return err
	}
	w.occupy(ctx, d)
	return w.insist("letting the candidates out of the jail", func(ctx context.Context) error {
		return w.plane.Do(ctx, http.MethodDelete, flowcontrol+"flowschemas/"+jail, nil, nil)
	})
}

// occupy sends writes of the lock whose bodies never come: each is in the level
// that the API server puts it in until this returns. There are several, since the
// first may come before the API server knows of the flow schema.
func (w *world) occupy(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	base := w.transport(nil)
	defer base.CloseIdleConnections()
	var all sync.WaitGroup
	defer all.Wait()
	for ; ctx.Err() == nil; wait(ctx, 200*time.Millisecond) {
		body, never := io.Pipe()
		defer never.Close()
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, w.plane.Server+w.lockPath(), body)
		if err != nil {
			return
		}
		req.Header.Set("Authorization", "Bearer "+w.candidates[0].token)
		req.Header.Set("Content-Type", "application/json")
		all.Go(func() {
			if resp, err := base.RoundTrip(req); err == nil {
				resp.Body.Close()
			}
		})
	}
}
