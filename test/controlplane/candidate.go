package controlplane

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// StatusError is an answer of the API server that is no success.
type StatusError struct {
	Code    int
	Message string
}

func (e *StatusError) Error() string { return fmt.Sprintf("%d: %s", e.Code, e.Message) }

// Do sends one request as the administrator. body and out are JSON; either may
// be nil. An answer that is no success is a *StatusError.
func (p *Plane) Do(ctx context.Context, method, path string, body, out any) error {
	var send io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		send = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, p.Server+path, send)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := p.admin.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return refusal(resp.StatusCode, data)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(data, out)
}

// refusal takes the sentence out of the Status that the API server sends.
func refusal(code int, body []byte) *StatusError {
	var status struct{ Message string }
	if json.Unmarshal(body, &status) == nil && status.Message != "" {
		return &StatusError{Code: code, Message: status.Message}
	}
	return &StatusError{Code: code, Message: strings.TrimSpace(string(body))}
}

// Namespace makes a namespace of a fresh name. It ends with the plane: without
// a controller-manager, its deletion would remove nothing in it.
func (p *Plane) Namespace(ctx context.Context) (string, error) {
	name := "t-" + strings.ToLower(rand.Text()[:10])
	return name, p.Do(ctx, http.MethodPost, "/api/v1/namespaces", object{"metadata": object{"name": name}}, nil)
}

type object = map[string]any

// CandidateOptions say who takes part and with which rights.
type CandidateOptions struct {
	Namespace string   `json:"namespace"`
	Pod       string   `json:"pod"`
	Election  string   `json:"election"`
	Lock      string   `json:"lock,omitempty"`     // "leases" (default), "endpoints" or "endpoints+leases"
	Service   string   `json:"service,omitempty"`  // with the Role for this Service's endpoint slices too
	Labels    bool     `json:"labels,omitempty"`   // with the Role for label routing, and its pod labelled as one of the election
	Events    bool     `json:"events,omitempty"`   // with the Role for Kubernetes Events too
	Without   []string `json:"without,omitempty"`  // verbs that are left out of the shipped Roles
	Lifetime  int      `json:"lifetime,omitempty"` // of the token, in seconds; default an hour, at least 600
	Server    string   `json:"server,omitempty"`   // another way to the API server, for the kubeconfig
}

// Credentials are those of a candidate's pod.
type Credentials struct {
	Server     string `json:"server"`
	CAFile     string `json:"caFile"`
	Token      string `json:"token"`
	TokenFile  string `json:"tokenFile"`
	Kubeconfig string `json:"kubeconfig"`
	PodUID     string `json:"podUID"`
}

// Candidate makes a service account that has exactly the Role we ship (less
// the verbs that are to be missing), a pod object, and a token bound to it.
func (p *Plane) Candidate(ctx context.Context, o CandidateOptions) (*Credentials, error) {
	ns := "/api/v1/namespaces/" + o.Namespace
	role, err := shippedRole(o)
	if err != nil {
		return nil, err
	}
	account := object{"metadata": object{"name": o.Pod}}
	if err := p.make(ctx, ns+"/serviceaccounts", account); err != nil {
		return nil, err
	}
	rbac := "/apis/rbac.authorization.k8s.io/v1/namespaces/" + o.Namespace
	name := o.Pod + "-" + o.Election
	if o.Lock != "" && o.Lock != "leases" {
		name += "-" + strings.ReplaceAll(o.Lock, "+", "-")
	}
	role.Metadata.Name = name
	if err := p.put(ctx, rbac+"/roles", name, role); err != nil {
		return nil, err
	}
	if err := p.make(ctx, rbac+"/rolebindings", object{
		"metadata": object{"name": name},
		"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
		"subjects": []object{{"kind": "ServiceAccount", "name": o.Pod, "namespace": o.Namespace}},
	}); err != nil {
		return nil, err
	}
	labels := object{}
	if o.Labels {
		labels["leader-elector.io/election"] = o.Election
	}
	pod := object{"metadata": object{"name": o.Pod, "labels": labels}, "spec": object{
		"serviceAccountName": o.Pod, "automountServiceAccountToken": false,
		"containers": []object{{"name": "app", "image": "app"}},
	}}
	if err := p.make(ctx, ns+"/pods", pod); err != nil {
		return nil, err
	}
	return p.token(ctx, o)
}

// make creates an object; one that is there already will do.
func (p *Plane) make(ctx context.Context, path string, o object) error {
	err := p.Do(ctx, http.MethodPost, path, o, nil)
	if isConflict(err) {
		return nil
	}
	return err
}

// put creates an object, or replaces the one that is there: rights that an
// earlier candidate of the same name was given must not outlive this call.
func (p *Plane) put(ctx context.Context, path, name string, o any) error {
	err := p.Do(ctx, http.MethodPost, path, o, nil)
	if isConflict(err) {
		return p.Do(ctx, http.MethodPut, path+"/"+name, o, nil)
	}
	return err
}

func isConflict(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == http.StatusConflict
}

// token asks for a token bound to the pod, and writes the files a client needs.
func (p *Plane) token(ctx context.Context, o CandidateOptions) (*Credentials, error) {
	ns := "/api/v1/namespaces/" + o.Namespace
	var pod struct{ Metadata struct{ UID string } }
	if err := p.Do(ctx, http.MethodGet, ns+"/pods/"+o.Pod, nil, &pod); err != nil {
		return nil, err
	}
	lifetime := o.Lifetime
	if lifetime == 0 {
		lifetime = 3600
	}
	var answer struct{ Status struct{ Token string } }
	err := p.Do(ctx, http.MethodPost, ns+"/serviceaccounts/"+o.Pod+"/token", object{"spec": object{
		"expirationSeconds": lifetime,
		"boundObjectRef":    object{"apiVersion": "v1", "kind": "Pod", "name": o.Pod, "uid": pod.Metadata.UID},
	}}, &answer)
	if err != nil {
		return nil, err
	}
	base := filepath.Join(p.Dir, o.Namespace+"-"+o.Pod+"-"+o.Election)
	c := &Credentials{
		Server: p.Server, CAFile: p.CAFile, Token: answer.Status.Token,
		TokenFile: base + ".token", Kubeconfig: base + ".kubeconfig", PodUID: pod.Metadata.UID,
	}
	if o.Server != "" {
		c.Server = o.Server
	}
	if err := os.WriteFile(c.TokenFile, []byte(c.Token), 0o600); err != nil {
		return nil, err
	}
	return c, p.writeKubeconfig(c.Kubeconfig, o.Server, o.Namespace, "tokenFile: "+c.TokenFile)
}
