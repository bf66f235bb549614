package kube

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// May asks whether this account may do something to the object, or to all of
// its kind if ref names none (SelfSubjectAccessReview, which every account may
// make). A creation is asked for without a name, as it cannot be limited by one.
func (c *Client) May(ctx context.Context, verb string, ref Ref) (bool, error) {
	group, _ := ref.groupVersion()
	attributes := map[string]string{"namespace": ref.Namespace, "verb": verb, "group": group, "resource": ref.Resource}
	if verb != "create" && ref.Name != "" {
		attributes["name"] = ref.Name
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": attributes},
	})
	if err != nil {
		return false, err
	}
	answer, err := c.Create(ctx, Ref{APIVersion: "authorization.k8s.io/v1", Resource: "selfsubjectaccessreviews"}, body)
	if err != nil {
		return false, err
	}
	var review struct{ Status struct{ Allowed bool } }
	if err := json.Unmarshal(answer, &review); err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}

// Unaskable says that May failed because this server does not answer such
// questions: the review is forbidden, or is not there.
func Unaskable(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == http.StatusForbidden || e.Status == http.StatusNotFound)
}
