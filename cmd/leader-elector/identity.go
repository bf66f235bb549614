package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/leader-elector/leader-elector/internal/kube"
)

// claims is what a pod's service-account token says of the pod.
type claims struct {
	Kubernetes struct {
		Namespace string `json:"namespace"`
		Pod       struct {
			Name string `json:"name"`
			UID  string `json:"uid"`
		} `json:"pod"`
		Node struct {
			Name string `json:"name"`
		} `json:"node"`
	} `json:"kubernetes.io"`
}

// readClaims reads the token's payload. It is our own token, so its signature
// is the API server's business. A token that is no JWT says nothing.
func readClaims(file string) (c claims) {
	token, err := os.ReadFile(file)
	if err != nil {
		return c
	}
	parts := strings.Split(strings.TrimSpace(string(token)), ".")
	if len(parts) != 3 {
		return c
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return claims{}
	}
	return c
}

// resolve finds what the flags leave open: the API server, the credentials,
// who this candidate is, and where its election lies.
func (o *options) resolve(env lookup) error {
	var faults []error
	var err error
	if o.access, err = o.reach(env); err != nil {
		faults = append(faults, err)
	}
	o.access.UserAgent = "leader-elector/" + version()
	var pod claims
	if o.access.TokenFile != "" {
		pod = readClaims(o.access.TokenFile)
	}
	o.self = pod
	o.podUID = pod.Kubernetes.Pod.UID
	if err == nil {
		if err := o.resolveRouting(pod, env); err != nil {
			faults = append(faults, err)
		}
	}
	old := strings.HasPrefix(o.lock, "endpoints")
	if o.namespace == "" && old {
		o.namespace = "default"
	}
	if o.namespace == "" {
		o.namespace = pod.Kubernetes.Namespace
	}
	if o.namespace == "" {
		o.namespace = o.access.Namespace
	}
	if o.namespace == "" && err == nil {
		faults = append(faults, errors.New("the election's namespace is not known outside a pod: give --election-namespace"))
	}
	if o.id == "" && !old {
		o.id = pod.Kubernetes.Pod.Name
	}
	if o.id == "" {
		if o.id, err = os.Hostname(); err != nil {
			faults = append(faults, fmt.Errorf("this candidate's name is not known: give --id: %w", err))
		}
	}
	if why := badNamespace(o.namespace); why != "" {
		faults = append(faults, fmt.Errorf("%s=%q is no namespace: %s", o.source("election-namespace"), o.namespace, why))
	}
	if len(faults) == 0 {
		cfg := o.config(nil)
		if err := cfg.Validate(); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// reach chooses the way to the API server: what is given, else the pod's
// service account, else the user's kubeconfig.
func (o *options) reach(env lookup) (kube.Access, error) {
	getenv := func(name string) string { value, _ := env(name); return value }
	switch {
	case o.server != "":
		a, err := kube.FromServer(o.server)
		return a, named(o.source("server"), err)
	case o.kubeconfig != "":
		a, err := kube.FromKubeconfig(o.kubeconfig, "")
		return a, named(o.source("kubeconfig"), err)
	case o.inCluster:
		a, err := kube.InCluster(getenv)
		return a, named(o.source("use-cluster-credentials"), err)
	case getenv("KUBERNETES_SERVICE_HOST") != "":
		return kube.InCluster(getenv)
	case getenv("KUBECONFIG") != "":
		a, err := kube.FromKubeconfig(getenv("KUBECONFIG"), "")
		return a, named("the variable KUBECONFIG", err)
	}
	if home := getenv("HOME"); home != "" {
		file := filepath.Join(home, ".kube", "config")
		if _, err := os.Stat(file); err == nil {
			return kube.FromKubeconfig(file, "")
		}
	}
	return kube.Access{}, errors.New("no way to an API server is known: this is not a pod with a service account, and there is no kubeconfig; " +
		"give --kubeconfig=FILE, or run `kubectl proxy` and give --server=http://127.0.0.1:8001")
}

// named says where a fault comes from, unless it says so itself.
func named(source string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), source) {
		return err
	}
	return fmt.Errorf("%s: %w", source, err)
}
