package controlplane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Change is one event of a watch. A list is LISTING (nothing that was told
// before counts any more), LISTED for each object, and SYNCED; then come the
// watch's own ADDED, MODIFIED and DELETED.
type Change struct {
	Type   string
	Object json.RawMessage
}

// Watch lists what a path with a query names, and then tells every change of
// it until ctx ends. A watch that breaks resumes where it was, so that no change
// is missed; where the API server no longer knows that place, it lists again.
// Ready is closed when the first list has been told.
func (p *Plane) Watch(ctx context.Context, path string, tell func(Change)) (ready <-chan struct{}) {
	synced := make(chan struct{})
	go func() {
		version, first := "", true
		for ctx.Err() == nil {
			var err error
			if version == "" {
				version, err = p.list(ctx, path, tell)
			}
			if err == nil {
				if first {
					close(synced)
					first = false
				}
				version, err = p.follow(ctx, path, version, tell)
			}
			if err != nil {
				select {
				case <-time.After(100 * time.Millisecond):
				case <-ctx.Done():
				}
			}
		}
	}()
	return synced
}

func (p *Plane) list(ctx context.Context, path string, tell func(Change)) (version string, err error) {
	var list struct {
		Metadata struct{ ResourceVersion string }
		Items    []json.RawMessage
	}
	if err := p.Do(ctx, http.MethodGet, path, nil, &list); err != nil {
		return "", err
	}
	tell(Change{Type: "LISTING"})
	for _, item := range list.Items {
		tell(Change{Type: "LISTED", Object: item})
	}
	tell(Change{Type: "SYNCED"})
	return list.Metadata.ResourceVersion, nil
}

// follow watches from a version on. It returns the version to resume from,
// which is empty where only a list helps.
func (p *Plane) follow(ctx context.Context, path, version string, tell func(Change)) (string, error) {
	and := "?"
	if strings.Contains(path, "?") {
		and = "&"
	}
	url := p.Server + path + and + "watch=1&allowWatchBookmarks=true&resourceVersion=" + version
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return version, err
	}
	resp, err := p.admin.Do(req)
	if err != nil {
		return version, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusGone {
		return "", errors.New("the version is gone")
	}
	if resp.StatusCode != http.StatusOK {
		return version, fmt.Errorf("status %d", resp.StatusCode)
	}
	for lines := json.NewDecoder(resp.Body); ; {
		var c Change
		if err := lines.Decode(&c); err != nil {
			return version, err
		}
		var object struct {
			Metadata struct{ ResourceVersion string }
		}
		if c.Type == "ERROR" || json.Unmarshal(c.Object, &object) != nil {
			return "", fmt.Errorf("the watch says %s", c.Object)
		}
		version = object.Metadata.ResourceVersion
		if c.Type != "BOOKMARK" {
			tell(c)
		}
	}
}
