package fencing

import (
	"context"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"

	elector "github.com/leader-elector/leader-elector"
)

// TermAnnotation is where an object keeps the term of the leader that wrote it.
const TermAnnotation = "example.com/term"

// snippet: object

// Change changes an object as the leader of a term. The object says which term
// wrote it last; the resourceVersion that was read goes along with the update,
// so that whoever wrote in between makes it a conflict. Then read again: what
// was written may be a newer leader's.
func Change(ctx context.Context, objects typed.ConfigMapInterface, name string, term elector.Term, change func(*corev1.ConfigMap)) error {
	o, err := objects.Get(ctx, name, metav1.GetOptions{}) // consistent: no resourceVersion
	if err != nil {
		return err
	}
	if was := o.Annotations[TermAnnotation]; was != "" {
		if n, err := strconv.ParseUint(was, 10, 64); err != nil || elector.Term(n) > term {
			return fmt.Errorf("%w: %s has the term %q, ours is %s", ErrFenced, name, was, term)
		}
	}
	change(o)
	metav1.SetMetaDataAnnotation(&o.ObjectMeta, TermAnnotation, term.String())
	_, err = objects.Update(ctx, o, metav1.UpdateOptions{})
	return err
}

// end of snippet
