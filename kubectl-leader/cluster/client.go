// Package cluster is the way to the API server: clients made of kubectl's flags,
// the lock objects, and errors that say which right is missing.
package cluster

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	authorization "k8s.io/client-go/kubernetes/typed/authorization/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	core "k8s.io/client-go/kubernetes/typed/core/v1"
	discovery "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// Client talks to one API server. It has the clients of the four groups that
// these commands need: those of all groups would make half of the program.
type Client struct {
	Authorization authorization.AuthorizationV1Interface
	Coordination  coordination.CoordinationV1Interface
	Core          core.CoreV1Interface
	Discovery     discovery.DiscoveryV1Interface

	Namespace string // of the flags, else of the kubeconfig's context

	meta  metadata.Interface // of Endpoints, whose other fields say nothing of an election
	clock *clock
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
	var errs [5]error
	c.Authorization, errs[0] = authorization.NewForConfig(coded)
	c.Coordination, errs[1] = coordination.NewForConfig(coded)
	c.Core, errs[2] = core.NewForConfig(coded)
	c.Discovery, errs[3] = discovery.NewForConfig(coded)
	c.meta, errs[4] = metadata.NewForConfig(metadata.ConfigFor(cfg))
	return c, errors.Join(errs[:]...)
}
