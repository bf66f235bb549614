package lock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/leader-elector/leader-elector/internal/kube"
)

// CheckRights asks the API server whether we may read, write and create the
// lock, and says which rules are missing. Watching is not asked for: without it
// the lock is polled, and the watch itself says what it lacks. Where nobody may
// ask, nothing is missing that a read would not tell.
func (l *Lock) CheckRights(ctx context.Context) error {
	var missing []string
	for _, verb := range []string{"get", "update", "create"} {
		ok, err := l.may(ctx, verb)
		switch {
		case unaskable(err):
			return nil
		case err != nil:
			return fmt.Errorf("the rights cannot be checked: %w", err)
		case !ok:
			missing = append(missing, verb)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("this account may not %s %s %s/%s; add to the Role: %s",
		strings.Join(missing, ", "), l.ref.Resource, l.ref.Namespace, l.ref.Name, l.rules(missing))
}

// unaskable says that this server does not answer such questions: the review is
// forbidden, or is not there.
func unaskable(err error) bool {
	var e *kube.Error
	return errors.As(err, &e) && (e.Status == http.StatusForbidden || e.Status == http.StatusNotFound)
}

// rules is what grants the verbs. A creation cannot be limited by name, so it
// has a rule of its own.
func (l *Lock) rules(verbs []string) string {
	var rules []string
	if named := slices.DeleteFunc(slices.Clone(verbs), func(v string) bool { return v == "create" }); len(named) > 0 {
		rules = append(rules, l.ref.Rule(named...))
	}
	if slices.Contains(verbs, "create") {
		rules = append(rules, l.ref.Rule("create"))
	}
	return strings.Join(rules, " and ")
}

// may asks for one verb (SelfSubjectAccessReview, which every account may make).
func (l *Lock) may(ctx context.Context, verb string) (bool, error) {
	group, _, named := strings.Cut(l.ref.APIVersion, "/")
	if !named {
		group = ""
	}
	attributes := map[string]string{"namespace": l.ref.Namespace, "verb": verb, "group": group, "resource": l.ref.Resource}
	if verb != "create" {
		attributes["name"] = l.ref.Name
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": attributes},
	})
	if err != nil {
		return false, err
	}
	ref := kube.Ref{APIVersion: "authorization.k8s.io/v1", Resource: "selfsubjectaccessreviews"}
	answer, err := l.client.Create(ctx, ref, body)
	if err != nil {
		return false, err
	}
	var review struct{ Status struct{ Allowed bool } }
	if err := json.Unmarshal(answer, &review); err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}
