package cluster

import (
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Need is the right that a request takes, in the words of a Role's rule.
type Need struct {
	Verb      string
	Group     string // empty: the core group
	Resource  string // such as leases or pods/proxy
	Namespace string // empty: all of them
	Name      string // empty: any
}

// Rule is the rule of a Role that gives it.
func (n Need) Rule() string {
	group, name := n.Group, ""
	if group == "" {
		group = `""`
	}
	if n.Name != "" {
		name = fmt.Sprintf(", resourceNames: [%s]", n.Name)
	}
	return fmt.Sprintf("{apiGroups: [%s], resources: [%s]%s, verbs: [%s]}", group, n.Resource, name, n.Verb)
}

// Explain adds to the API server's refusal what would mend it.
func (n Need) Explain(err error) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsForbidden(err) && n.Namespace == "":
		return fmt.Errorf("%w\nIt takes a ClusterRole, bound by a ClusterRoleBinding, with the rule\n  %s", err, n.Rule())
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%w\nIt takes a Role in the namespace %q with the rule\n  %s", err, n.Namespace, n.Rule())
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%w: the API server does not accept these credentials; look at --context, --user and --token, or log in again", err)
	case strings.Contains(err.Error(), "connect: "), strings.Contains(err.Error(), "no such host"):
		return fmt.Errorf("the API server does not answer: %w; look at --context, --server and --kubeconfig", err)
	}
	return err
}
