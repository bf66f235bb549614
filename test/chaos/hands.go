package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// handNote numbers what is written by hand, so that no two writes are alike.
const handNote = "chaos/hand"

var jsonHead = http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}

// byHand reads the lock, changes it and writes it back, as `kubectl edit` does.
func (w *world) byHand(ctx context.Context, change func(spec, notes map[string]any)) error {
	for {
		a, err := w.handAsks(ctx, http.MethodGet, w.lockPath(), nil)
		if err != nil {
			return err
		}
		if a.status == http.StatusNotFound {
			return nil // somebody has deleted it
		}
		var lock struct {
			APIVersion string         `json:"apiVersion"`
			Kind       string         `json:"kind"`
			Metadata   map[string]any `json:"metadata"`
			Spec       map[string]any `json:"spec"`
		}
		if err := json.Unmarshal(a.body, &lock); err != nil {
			return err
		}
		notes, _ := lock.Metadata["annotations"].(map[string]any)
		if notes == nil {
			notes = map[string]any{}
		}
		if lock.Spec == nil {
			lock.Spec = map[string]any{}
		}
		change(lock.Spec, notes)
		notes[handNote] = fmt.Sprint(w.hands.Add(1))
		lock.Metadata["annotations"] = notes
		if a, err = w.handAsks(ctx, http.MethodPut, w.lockPath(), lock); err != nil {
			return err
		}
		if a.status == http.StatusOK {
			return nil
		}
		if a.status != http.StatusConflict {
			return fmt.Errorf("the edit was answered %d: %s", a.status, a.body)
		}
	}
}

func (w *world) handAsks(ctx context.Context, method, path string, body any) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	data := []byte{}
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	return w.hand.exchange(ctx, method, path, jsonHead, data)
}

// edit changes what people change.
func (w *world) edit(ctx context.Context, r *rand.Rand) error {
	edits := []func(spec, notes map[string]any){
		func(spec, _ map[string]any) { spec["holderIdentity"] = w.anyone(r) },
		func(spec, _ map[string]any) { spec["holderIdentity"] = "somebody-else" },
		func(spec, _ map[string]any) { spec["leaseDurationSeconds"] = 1 },
		func(spec, _ map[string]any) { spec["renewTime"] = "2020-01-01T00:00:00.000000Z" },
		func(_, notes map[string]any) { delete(notes, "leader-elector.io/record") },
		func(_, notes map[string]any) { notes["leader-elector.io/record"] = "{" },
		func(_, _ map[string]any) {}, // a note of somebody's own: a new version of the same record
	}
	return w.byHand(ctx, edits[r.IntN(len(edits))])
}

// empty does what client-go does when it releases.
func (w *world) empty(ctx context.Context, _ *rand.Rand) error {
	return w.byHand(ctx, func(spec, _ map[string]any) {
		spec["holderIdentity"], spec["leaseDurationSeconds"] = "", 1
	})
}

// remove deletes exactly the lock that it read, so that an unknown outcome is
// one of a version, as a swap's is.
func (w *world) remove(ctx context.Context, _ *rand.Rand) error {
	for {
		a, err := w.handAsks(ctx, http.MethodGet, w.lockPath(), nil)
		if err != nil || a.status == http.StatusNotFound {
			return err
		}
		lock, err := read(a.body)
		if err != nil {
			return err
		}
		a, err = w.handAsks(ctx, http.MethodDelete, w.lockPath(), object{
			"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": object{"uid": lock.uid, "resourceVersion": fmt.Sprint(lock.version)},
		})
		if err != nil || a.status != http.StatusConflict {
			return err
		}
	}
}

// recreate deletes the lock and puts another in its place.
func (w *world) recreate(ctx context.Context, r *rand.Rand) error {
	if err := w.remove(ctx, r); err != nil {
		return err
	}
	holder := []string{"", "somebody-else", w.anyone(r)}[r.IntN(3)]
	_, err := w.handAsks(ctx, http.MethodPost, w.collection(), object{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
		"metadata": object{"name": lockName, "namespace": w.namespace, "annotations": object{handNote: fmt.Sprint(w.hands.Add(1))}},
		"spec":     object{"holderIdentity": holder, "leaseDurationSeconds": 1 + r.IntN(4)},
	})
	return err
}

// switchover asks for a hand-over by the annotation that operators use.
func (w *world) switchover(ctx context.Context, r *rand.Rand) error {
	to := w.anyone(r)
	return w.byHand(ctx, func(spec, notes map[string]any) {
		notes["leader-elector.io/switchover-to"] = fmt.Sprintf("%v/%s", spec["holderIdentity"], to)
	})
}

// pause pauses the election for a while.
func (w *world) pause(ctx context.Context, r *rand.Rand) error {
	if err := w.byHand(ctx, func(_, notes map[string]any) { notes["leader-elector.io/paused"] = "true" }); err != nil {
		return err
	}
	wait(ctx, between(r, time.Second, 5*time.Second))
	return w.resume()
}

func (w *world) resume() error {
	return w.insist("resuming the election", func(ctx context.Context) error {
		return w.byHand(ctx, func(_, notes map[string]any) { delete(notes, "leader-elector.io/paused") })
	})
}

// stepDown asks the leader to hand over, as a preStop hook does.
func (w *world) stepDown(ctx context.Context, c *candidate, r *rand.Rand) error {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.address+"/step-down", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil // it has ended, or is frozen
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		w.count("hand-overs on request")
	}
	return nil
}

func (w *world) anyone(r *rand.Rand) string { return w.candidates[r.IntN(len(w.candidates))].id }

func (w *world) collection() string {
	return "/apis/coordination.k8s.io/v1/namespaces/" + w.namespace + "/leases"
}

func (w *world) lockPath() string { return w.collection() + "/" + lockName }
