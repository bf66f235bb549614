package kube

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// bodyLimit bounds what is read of an answer, and of one event of a watch. Our
// objects have a few kilobytes.
const bodyLimit = 1 << 20

// Ref names one object.
type Ref struct {
	APIVersion string // "coordination.k8s.io/v1", or "v1"
	Resource   string // "leases": the plural of the URL
	Namespace  string // empty: of a kind that has no namespaces
	Name       string
}

func (r Ref) groupVersion() (group, version string) {
	if group, version, ok := strings.Cut(r.APIVersion, "/"); ok {
		return group, version
	}
	return "", r.APIVersion
}

// collection is the path of all objects of r's kind, in its namespace if it has one.
func (r Ref) collection() string {
	prefix := "/apis/"
	if !strings.Contains(r.APIVersion, "/") {
		prefix = "/api/"
	}
	if r.Namespace == "" {
		return prefix + r.APIVersion + "/" + r.Resource
	}
	return prefix + r.APIVersion + "/namespaces/" + url.PathEscape(r.Namespace) + "/" + r.Resource
}

func (r Ref) path() string { return r.collection() + "/" + url.PathEscape(r.Name) }

// Client talks to one API server. Its methods may be called concurrently.
type Client struct {
	access Access
	server string // without a slash at its end
	line   line   // for all requests but the watches', which have their own

	mu      sync.Mutex
	watches map[*watcher]context.CancelCauseFunc // that connect or are connected
}

// New makes a client; it connects when it is used.
func New(a Access) (*Client, error) {
	u, err := parseServer(a.Server)
	if err != nil {
		return nil, err
	}
	if a.NewClient == nil {
		a.NewClient = plainClient
	}
	if a.UserAgent == "" {
		a.UserAgent = "leader-elector"
	}
	if a.CredentialHint == "" {
		a.CredentialHint = "the server does not accept these credentials; is the token expired?"
	}
	return &Client{
		access:  a,
		server:  u.String(),
		line:    line{newClient: a.NewClient},
		watches: make(map[*watcher]context.CancelCauseFunc),
	}, nil
}

// Get reads the object consistently: never from a cache that may lag.
func (c *Client) Get(ctx context.Context, ref Ref) ([]byte, error) {
	return c.do(ctx, &c.line, call{verb: "get", ref: ref, method: http.MethodGet, path: ref.path(), want: http.StatusOK})
}

// List reads the metadata of the objects of ref's kind that a label selector
// chooses, consistently; ref's name is left out of it.
func (c *Client) List(ctx context.Context, ref Ref, labels string) ([]Metadata, error) {
	items, err := c.list(ctx, ref, labels, "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
	if err != nil {
		return nil, err
	}
	all := make([]Metadata, len(items))
	for i, item := range items {
		var o struct {
			Metadata Metadata `json:"metadata"`
		}
		if err := json.Unmarshal(item, &o); err != nil {
			return nil, c.notAList(ref, err)
		}
		all[i] = o.Metadata
	}
	return all, nil
}

// ListWhole is List with all that the objects hold.
func (c *Client) ListWhole(ctx context.Context, ref Ref, labels string) ([]json.RawMessage, error) {
	return c.list(ctx, ref, labels, "")
}

func (c *Client) list(ctx context.Context, ref Ref, labels, accept string) ([]json.RawMessage, error) {
	ref.Name = ""
	body, err := c.do(ctx, &c.line, call{
		verb: "list", ref: ref, method: http.MethodGet, path: ref.collection(), query: url.Values{"labelSelector": {labels}},
		accept: accept, want: http.StatusOK,
	})
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, c.notAList(ref, err)
	}
	return list.Items, nil
}

func (c *Client) notAList(ref Ref, err error) error {
	ref.Name = ""
	return &Error{Verb: "list", Ref: ref, Message: c.server + " sent what is not a list: " + err.Error(), Err: err}
}

// Metadata is what [Client.List] and [Client.Patch] tell of an object.
type Metadata struct {
	Name            string            `json:"name"`
	UID             string            `json:"uid"`
	ResourceVersion string            `json:"resourceVersion"`
	Labels          map[string]string `json:"labels"`
	Annotations     map[string]string `json:"annotations"`
}

// Patch merges labels and annotations into those of exactly the object that was
// read as old: whoever wrote it since makes this a conflict.
func (c *Client) Patch(ctx context.Context, ref Ref, old Metadata, labels, annotations map[string]string) (Metadata, error) {
	type metadata struct {
		UID             string            `json:"uid"`
		ResourceVersion string            `json:"resourceVersion"`
		Labels          map[string]string `json:"labels,omitempty"`
		Annotations     map[string]string `json:"annotations,omitempty"`
	}
	var now struct {
		Metadata Metadata `json:"metadata"`
	}
	body, err := json.Marshal(struct {
		Metadata metadata `json:"metadata"`
	}{metadata{old.UID, old.ResourceVersion, labels, annotations}})
	if err == nil && (old.UID == "" || old.ResourceVersion == "") {
		err = errors.New("the patch names no uid or no resourceVersion")
	}
	if err != nil {
		return Metadata{}, &Error{Verb: "patch", Ref: ref, Status: http.StatusUnprocessableEntity, Message: "not sent: " + err.Error(), Err: err, unsent: true}
	}
	body, err = c.do(ctx, &c.line, call{
		verb: "patch", ref: ref, method: http.MethodPatch, path: ref.path(), body: body, content: "application/merge-patch+json",
		accept: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", want: http.StatusOK,
	})
	if err == nil {
		err = json.Unmarshal(body, &now)
	}
	return now.Metadata, err
}

// Merge merges fields into an object, whoever wrote it since: for objects of one
// writer.
func (c *Client) Merge(ctx context.Context, ref Ref, body []byte) error {
	_, err := c.do(ctx, &c.line, call{
		verb: "patch", ref: ref, method: http.MethodPatch, path: ref.path(), body: body, content: "application/merge-patch+json", want: http.StatusOK,
	})
	return err
}

// Create makes the object, and returns it as the server stored it.
func (c *Client) Create(ctx context.Context, ref Ref, body []byte) ([]byte, error) {
	return c.do(ctx, &c.line, call{verb: "create", ref: ref, method: http.MethodPost, path: ref.collection(), body: body, want: http.StatusCreated})
}

// Update replaces exactly the object of the uid and resourceVersion in the
// body's metadata, and returns it as the server stored it. Without both it
// refuses: the server would overwrite what others wrote, or create a deleted
// Lease anew.
func (c *Client) Update(ctx context.Context, ref Ref, body []byte) ([]byte, error) {
	var obj object
	err := json.Unmarshal(body, &obj)
	if err == nil && (obj.Metadata.UID == "" || obj.Metadata.ResourceVersion == "") {
		err = errors.New("the update names no uid or no resourceVersion")
	}
	if err != nil {
		return nil, &Error{Verb: "update", Ref: ref, Status: http.StatusUnprocessableEntity, Message: "not sent: " + err.Error(), Err: err, unsent: true}
	}
	return c.do(ctx, &c.line, call{verb: "update", ref: ref, method: http.MethodPut, path: ref.path(), body: body, want: http.StatusOK})
}

// object is what is used of an object here.
type object struct {
	Metadata struct {
		Name            string `json:"name"`
		UID             string `json:"uid"`
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
}

// call is one request to be made.
type call struct {
	verb    string
	ref     Ref
	method  string
	path    string
	query   url.Values
	body    []byte
	accept  string // empty: JSON
	content string // type of the body; empty: JSON
	want    int    // the only status that is success
}

// do makes a request and reads its whole answer.
func (c *Client) do(ctx context.Context, l *line, q call) ([]byte, error) {
	resp, giveUp, err := c.send(ctx, l, q)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, bodyLimit+1))
	if err == nil && len(body) > bodyLimit {
		err = fmt.Errorf("the answer is longer than %d bytes", bodyLimit)
	}
	if err != nil {
		giveUp()
		return nil, c.transportError(ctx, q, err, false)
	}
	if resp.StatusCode != q.want {
		return nil, c.refusal(q.verb, q.ref, resp, body)
	}
	return body, nil
}

// send makes a request up to the head of its answer. giveUp drops the client
// that it went through; send does so itself on an error and on a 5xx, since a
// connection may lead to the one API server of several that is ill.
func (c *Client) send(ctx context.Context, l *line, q call) (resp *http.Response, giveUp func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, c.transportError(ctx, q, err, true)
	}
	client, err := l.take()
	if err != nil {
		return nil, nil, c.transportError(ctx, q, err, true)
	}
	giveUp = func() { l.drop(client) }
	traced, conn := trace(ctx)
	req, err := c.request(traced, q)
	if err != nil {
		return nil, nil, c.transportError(ctx, q, err, true)
	}
	resp, err = client.Do(req)
	if err != nil {
		giveUp()
		var before *unsentError
		return nil, nil, c.transportError(ctx, q, err, errors.As(err, &before) || conn.neverMade())
	}
	if resp.StatusCode >= 500 {
		giveUp()
	}
	return resp, giveUp, nil
}

func (c *Client) request(ctx context.Context, q call) (*http.Request, error) {
	u := c.server + q.path
	if len(q.query) > 0 {
		u += "?" + q.query.Encode()
	}
	var body io.Reader
	if q.body != nil {
		body = bytes.NewReader(q.body)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, u, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", cmp.Or(q.accept, "application/json"))
	req.Header.Set("User-Agent", c.access.UserAgent)
	if q.body != nil {
		req.Header.Set("Content-Type", cmp.Or(q.content, "application/json"))
	}
	return req, nil
}

// transportError makes the error of a request that got no whole answer.
func (c *Client) transportError(ctx context.Context, q call, err error, unsent bool) *Error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // its prefix repeats the method and the URL
	}
	e := &Error{Verb: q.verb, Ref: q.ref, Err: err, unsent: unsent}
	switch cause := context.Cause(ctx); {
	case ctx.Err() == nil && unsent:
		e.Message = fmt.Sprintf("%v; %s", err, c.addressHint())
	case ctx.Err() == nil:
		e.Message = fmt.Sprintf("%s: %v", c.server, err)
	case errors.Is(cause, context.DeadlineExceeded) && unsent:
		e.Message = "no connection to " + c.server + " in time; " + c.addressHint()
	case errors.Is(cause, context.DeadlineExceeded):
		e.Message = "no answer from " + c.server + " in time"
	default:
		e.Err, e.Message = cause, cause.Error()
	}
	return e
}
