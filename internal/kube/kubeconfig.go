package kube

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// kubeconfig is what is used of a kubeconfig file.
type kubeconfig struct {
	CurrentContext string `yaml:"current-context"`
	Contexts       []struct {
		Name    string
		Context struct{ Cluster, User, Namespace string }
	}
	Clusters []struct {
		Name    string
		Cluster cluster
	}
	Users []struct {
		Name string
		User user
	}
}

type cluster struct {
	Server     string
	CAFile     string `yaml:"certificate-authority"`
	CAData     string `yaml:"certificate-authority-data"`
	Insecure   bool   `yaml:"insecure-skip-tls-verify"`
	ServerName string `yaml:"tls-server-name"`
	ProxyURL   string `yaml:"proxy-url"`
}

type user struct {
	CertFile     string `yaml:"client-certificate"`
	CertData     string `yaml:"client-certificate-data"`
	KeyFile      string `yaml:"client-key"`
	KeyData      string `yaml:"client-key-data"`
	Token        string
	TokenFile    string `yaml:"tokenFile"`
	Username     string
	As           string
	Exec         *struct{ Command string }
	AuthProvider *struct{ Name string } `yaml:"auth-provider"`
}

// viaProxy is the way to every credential that only kubectl knows how to get.
const viaProxy = "run `kubectl proxy` and use --server=http://127.0.0.1:8001"

// FromKubeconfig gives the access of one context of a kubeconfig file; an empty
// context means the file's current one. It knows certificates and tokens, in
// files or in place; files that are named relatively lie beside the kubeconfig.
// As with kubectl, a server of plain http gets no credentials.
func FromKubeconfig(path, context string) (Access, error) {
	a, err := fromKubeconfig(path, context)
	if err != nil {
		return Access{}, fmt.Errorf("--kubeconfig %s: %w", path, err)
	}
	return a, nil
}

func fromKubeconfig(path, context string) (Access, error) {
	conf, err := readKubeconfig(path)
	if err != nil {
		return Access{}, err
	}
	ctx, cl, us, err := conf.pick(context)
	if err != nil {
		return Access{}, err
	}
	server, err := parseServer(cl.Server)
	if err != nil {
		return Access{}, err
	}
	if err := cl.check(); err != nil {
		return Access{}, err
	}
	if server.Scheme == "http" {
		us = user{}
	}
	if err := us.check(); err != nil {
		return Access{}, err
	}
	token := us.tokenSource()
	newClient := func() (*http.Client, error) {
		tc, err := tlsConfig(cl, us)
		if err != nil {
			return nil, err
		}
		return newHTTPClient(tc, token), nil
	}
	if _, err := newClient(); err != nil {
		return Access{}, err
	}
	return Access{
		Server:         cl.Server,
		NewClient:      newClient,
		Namespace:      ctx.namespace,
		AddressFrom:    path,
		CredentialHint: fmt.Sprintf("the credentials of context %q in %s have expired or are not of this cluster", ctx.name, path),
	}, nil
}

func readKubeconfig(path string) (*kubeconfig, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		if strings.ContainsRune(path, os.PathListSeparator) {
			return nil, errors.New("that is a list of files, and lists are not merged: name one file (`kubectl config view --flatten --minify` writes one)")
		}
		return nil, err
	}
	var conf kubeconfig
	if err := yaml.Unmarshal(b, &conf); err != nil {
		return nil, fmt.Errorf("not a kubeconfig: %w", err)
	}
	dir := filepath.Dir(path)
	for i := range conf.Clusters {
		beside(dir, &conf.Clusters[i].Cluster.CAFile)
	}
	for i := range conf.Users {
		u := &conf.Users[i].User
		beside(dir, &u.CertFile, &u.KeyFile, &u.TokenFile)
	}
	return &conf, nil
}

// beside resolves relative names against the kubeconfig's folder.
func beside(dir string, files ...*string) {
	for _, f := range files {
		if *f != "" && !filepath.IsAbs(*f) {
			*f = filepath.Join(dir, *f)
		}
	}
}

// chosen is the context that was picked.
type chosen struct{ name, namespace string }

// pick finds a context with its cluster and its user; a context may have none.
func (k *kubeconfig) pick(name string) (ctx chosen, cl cluster, us user, err error) {
	if name == "" {
		name = k.CurrentContext
	}
	if name == "" {
		return ctx, cl, us, fmt.Errorf("no current-context is set; choose one of: %s", k.contexts())
	}
	for _, c := range k.Contexts {
		if c.Name != name {
			continue
		}
		ctx = chosen{name, c.Context.Namespace}
		if cl, err = k.cluster(c.Context.Cluster); err == nil {
			us, err = k.user(c.Context.User)
		}
		if err != nil {
			err = fmt.Errorf("context %q: %w", name, err)
		}
		return ctx, cl, us, err
	}
	return ctx, cl, us, fmt.Errorf("there is no context %q; there are: %s", name, k.contexts())
}

func (k *kubeconfig) contexts() string {
	names := make([]string, len(k.Contexts))
	for i, c := range k.Contexts {
		names[i] = c.Name
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (k *kubeconfig) cluster(name string) (cluster, error) {
	for _, c := range k.Clusters {
		if c.Name == name {
			return c.Cluster, nil
		}
	}
	return cluster{}, fmt.Errorf("there is no cluster %q", name)
}

func (k *kubeconfig) user(name string) (user, error) {
	if name == "" {
		return user{}, nil
	}
	for _, u := range k.Users {
		if u.Name == name {
			return u.User, nil
		}
	}
	return user{}, fmt.Errorf("there is no user %q", name)
}

// check refuses what this client does not do, rather than to do without it.
func (c *cluster) check() error {
	if c.ProxyURL != "" {
		return fmt.Errorf("proxy-url is not supported: %s", viaProxy)
	}
	if c.Insecure && (c.CAFile != "" || c.CAData != "") {
		return errors.New("insecure-skip-tls-verify and a certificate-authority contradict each other: remove one")
	}
	return nil
}

func (u *user) check() error {
	switch {
	case u.Exec != nil:
		return fmt.Errorf("the user's credentials come from a plugin (exec: %s), which is not supported: %s", u.Exec.Command, viaProxy)
	case u.AuthProvider != nil:
		return fmt.Errorf("the user's credentials come from an auth-provider (%s), which is not supported: %s", u.AuthProvider.Name, viaProxy)
	case u.Username != "":
		return fmt.Errorf("user name and password are not supported (nor by API servers since 1.19): %s", viaProxy)
	case u.As != "":
		return fmt.Errorf("impersonation (as: %s) is not supported: %s", u.As, viaProxy)
	}
	return nil
}

// tokenSource is nil for a user without a token. A file wins over a token in
// place, as with kubectl.
func (u *user) tokenSource() *tokenSource {
	switch {
	case u.TokenFile != "":
		return &tokenSource{file: u.TokenFile}
	case u.Token != "":
		return &tokenSource{token: u.Token}
	}
	return nil
}

// tlsConfig reads the certificates, anew for each client since they rotate.
func tlsConfig(cl cluster, us user) (*tls.Config, error) {
	conf := &tls.Config{ServerName: cl.ServerName, InsecureSkipVerify: cl.Insecure}
	ca, err := fileOrData(cl.CAFile, cl.CAData, "certificate-authority")
	if err != nil {
		return nil, err
	}
	if ca != nil {
		if conf.RootCAs, err = rootsFromPEM(ca, "certificate-authority"); err != nil {
			return nil, err
		}
	}
	cert, err := fileOrData(us.CertFile, us.CertData, "client-certificate")
	if err != nil {
		return nil, err
	}
	key, err := fileOrData(us.KeyFile, us.KeyData, "client-key")
	if err != nil || cert == nil && key == nil {
		return conf, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("client-certificate and client-key: %w", err)
	}
	conf.Certificates = []tls.Certificate{pair}
	return conf, nil
}

// fileOrData returns what the data in place say, which win, or the file; nil if
// neither is there.
func fileOrData(file, data, what string) ([]byte, error) {
	switch {
	case data != "":
		b, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			return nil, fmt.Errorf("%s-data: %w", what, err)
		}
		return b, nil
	case file != "":
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		return b, nil
	}
	return nil, nil
}
