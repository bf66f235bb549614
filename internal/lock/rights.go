package lock

import (
	"context"
	"fmt"
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
		ok, err := l.client.May(ctx, verb, l.ref)
		switch {
		case kube.Unaskable(err):
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
	return &missingRights{fmt.Sprintf("this account may not %s %s %s/%s; add to the Role: %s",
		strings.Join(missing, ", "), l.ref.Resource, l.ref.Namespace, l.ref.Name, l.rules(missing))}
}

// missingRights is a kube.ErrForbidden that nobody had to run into.
type missingRights struct{ text string }

func (e *missingRights) Error() string        { return e.text }
func (e *missingRights) Is(target error) bool { return target == kube.ErrForbidden }

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
