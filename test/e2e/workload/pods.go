package workload

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Pod is what the tests need to know of a pod.
type Pod struct {
	Metadata struct {
		Name, UID         string
		DeletionTimestamp *string
	}
	Spec   struct{ NodeName string }
	Status struct {
		PodIP                 string
		Phase                 string
		InitContainerStatuses []Container
		ContainerStatuses     []Container
	}
}

// Container is the state of one container.
type Container struct {
	Name         string
	Ready        bool
	RestartCount int
	ContainerID  string
}

// Name is the pod's.
func (p *Pod) Name() string { return p.Metadata.Name }

// Container finds one by name.
func (p *Pod) Container(name string) (Container, error) {
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if c.Name == name {
			return c, nil
		}
	}
	return Container{}, fmt.Errorf("pod %s has no container %s yet", p.Name(), name)
}

// ID is the container's, as its runtime knows it.
func (c Container) ID() string {
	_, id, _ := strings.Cut(c.ContainerID, "://")
	return id
}

// Pods lists the workload's pods.
func (w *Workload) Pods(ctx context.Context) ([]*Pod, error) {
	var list struct{ Items []*Pod }
	err := w.Cluster.Plane.Do(ctx, http.MethodGet, "/api/v1/namespaces/"+w.Namespace+
		"/pods?labelSelector="+url.QueryEscape(w.Selector), nil, &list)
	return list.Items, err
}

// Ready counts the pods of which every container is ready.
func Ready(pods []*Pod) int {
	n := 0
	for _, p := range pods {
		if p.Ready() {
			n++
		}
	}
	return n
}

// Ready says whether all containers are.
func (p *Pod) Ready() bool {
	for _, c := range p.Status.ContainerStatuses {
		if !c.Ready {
			return false
		}
	}
	return len(p.Status.ContainerStatuses) > 0
}
