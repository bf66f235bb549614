// Package cluster is the way to the API server: clients made of kubectl's flags,
// the lock objects, and errors that say which right is missing.
package cluster

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// Client talks to one API server.
type Client struct {
	kubernetes.Interface
	meta  metadata.Interface // of Endpoints, whose other fields say nothing of an election
	clock *clock

	Namespace string // of the flags, else of the kubeconfig's context
}

// Connect makes a client of kubectl's flags. It contacts nobody.
func Connect(flags *genericclioptions.ConfigFlags, userAgent string) (*Client, error) {
	cfg, err := flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("%w; --kubeconfig, --context or the variable KUBECONFIG say where the API server is", err)
	}
	ns, _, err := flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, err
	}
	cfg = rest.CopyConfig(cfg)
	cfg.UserAgent = userAgent
	cfg.QPS = -1 // a command's few requests are not to be throttled here
	// Endpoints are deprecated, and every answer about them says so. Whoever asks
	// for them knows.
	cfg.WarningHandler = rest.NoWarnings{}
	c := &Client{Namespace: ns, clock: &clock{}}
	cfg.Wrap(c.clock.wrap)
	coded := rest.CopyConfig(cfg)
	coded.ContentType = runtime.ContentTypeProtobuf
	coded.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	if c.Interface, err = kubernetes.NewForConfig(coded); err != nil {
		return nil, err
	}
	if c.meta, err = metadata.NewForConfig(metadata.ConfigFor(cfg)); err != nil {
		return nil, err
	}
	return c, nil
}
