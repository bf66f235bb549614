package kube

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// What a server sends on a watch never gets further than an event whose object
// is JSON with a resourceVersion, and is of the object that is watched.
func FuzzWatch(f *testing.F) {
	for _, text := range []string{
		`{"type":"ADDED","object":{"metadata":{"name":"music","resourceVersion":"7"}}}`,
		`{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}{"type":"DELETED","object":{"metadata":{"name":"music","resourceVersion":"10"}}}`,
		`{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}`,
		`{"type":"ERROR","object":{"kind":"Status","code":403,"details":{"retryAfterSeconds":-1}}}`,
		`{"type":"ADDED","object":{"metadata":{"name":"other","resourceVersion":"7"}}}`, `{"type":"ADDED","object":null}`, `{"type":7}`, `[`, ``,
	} {
		f.Add([]byte(text))
	}
	c, err := New(Access{Server: "http://127.0.0.1:1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w := &watcher{c: c, ref: Ref{APIVersion: "v1", Resource: "pods", Namespace: "a", Name: "music"}}
		w.fn = func(e Event) {
			var obj object
			if err := json.Unmarshal(e.Object, &obj); err != nil || obj.Metadata.ResourceVersion == "" || obj.Metadata.Name != "music" {
				t.Errorf("delivered %s: %v", e.Object, err)
			}
		}
		err := w.stream(&pulse{r: bytes.NewReader(body), beat: func() {}, left: bodyLimit})
		if err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}

// What a server answers to a refused request becomes an error in words, with a
// wait that is not negative.
func FuzzRefusal(f *testing.F) {
	f.Add(403, "", []byte(`{"kind":"Status","reason":"Forbidden","message":"no","details":{"name":"music","kind":"leases"}}`))
	f.Add(429, "7", []byte(`{"kind":"Status","details":{"retryAfterSeconds":3}}`))
	f.Add(503, "-1", []byte(`<html>`))
	f.Add(500, "99999999999999999999", []byte(`{"details":{"retryAfterSeconds":-9}}`))
	c, err := New(Access{Server: "http://127.0.0.1:1"})
	if err != nil {
		f.Fatal(err)
	}
	ref := Ref{APIVersion: "coordination.k8s.io/v1", Resource: "leases", Namespace: "a", Name: "music"}
	f.Fuzz(func(t *testing.T, code int, after string, body []byte) {
		e := c.refusal("update", ref, &http.Response{StatusCode: code, Header: http.Header{"Retry-After": {after}}}, body)
		if e.Error() == "" || e.RetryAfter < 0 {
			t.Errorf("%q, wait %v", e.Error(), e.RetryAfter)
		}
		if len(e.Error()) > 64<<10 {
			t.Errorf("an error of %d bytes", len(e.Error()))
		}
	})
}

func FuzzKubeconfig(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c, user: u, namespace: n}}]\nclusters: [{name: c, cluster: {server: 'https://x'}}]\nusers: [{name: u, user: {token: t}}]\n"))
	f.Add([]byte(`{"current-context":"a","users":[{"name":"u","user":{"exec":{"command":"x"}}}]}`))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("contexts: {}\nclusters: 7"))
	f.Fuzz(func(t *testing.T, body []byte) {
		path := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := FromKubeconfig(path, "")
		switch {
		case err != nil && err.Error() == "":
			t.Error("an error without words")
		case err == nil:
			if _, err := parseServer(a.Server); err != nil || a.NewClient == nil {
				t.Errorf("%+v: %v", a, err)
			}
		}
	})
}
