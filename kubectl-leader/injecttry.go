package main

import (
	"bytes"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/util/retry"
)

// tryOnServer has the server apply each object and forget it: everything is
// checked, by its validation and by the cluster's own admission.
func tryOnServer(f *factory, manifests []byte) error {
	namespace, force, err := f.config.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return err
	}
	coming := map[string]bool{} // namespaces that are made in this very stream
	refused := 0
	err = resource.NewBuilder(f.config).Unstructured().ContinueOnError().
		NamespaceParam(namespace).DefaultNamespace().FilenameParam(force, &resource.FilenameOptions{}).
		Stream(bytes.NewReader(manifests), "the output").Flatten().Do().
		Visit(func(info *resource.Info, err error) error {
			if err != nil {
				return err
			}
			what := fmt.Sprintf("%s/%s", info.Mapping.Resource.GroupResource(), info.Name)
			if info.Mapping.GroupVersionKind.Kind == "Namespace" {
				coming[info.Name] = true
			}
			err = tryObject(info)
			switch {
			case err == nil:
				fmt.Fprintf(f.ErrOut, "%s: taken (server dry run)\n", what)
			case apierrors.IsNotFound(err) && coming[info.Namespace]:
				fmt.Fprintf(f.ErrOut, "%s: not checked, as its namespace is not there yet\n", what)
			default:
				refused++
				fmt.Fprintf(f.ErrOut, "%s: refused: %v\n", what, err)
			}
			return nil
		})
	if err == nil && refused > 0 {
		err = errRefused
	}
	return err
}

func tryObject(info *resource.Info) error {
	body, err := runtime.Encode(unstructured.UnstructuredJSONScheme, info.Object)
	if err != nil {
		return err
	}
	force := true
	helper := resource.NewHelper(info.Client, info.Mapping).DryRun(true).WithFieldManager("kubectl-leader-inject").WithFieldValidation("Strict")
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		_, err := helper.Patch(info.Namespace, info.Name, types.ApplyPatchType, body, &metav1.PatchOptions{Force: &force})
		return err
	})
}
