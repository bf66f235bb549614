package interop

import (
	"net/http"

	"k8s.io/client-go/rest"
)

// RESTConfig makes, of client-go's configuration, what elector.Config asks for:
// the server's URL, and clients with connections of their own.
//
// rest.HTTPClientFor is not used, because client-go keeps one transport for
// equal configurations: a connection that was given up would come back with
// the next client.
func RESTConfig(cfg *rest.Config) (server string, newClient func() (*http.Client, error), err error) {
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return "", nil, err
	}
	proxy := cfg.Proxy
	if proxy == nil {
		proxy = http.ProxyFromEnvironment // as client-go does
	}
	return base.String(), func() (*http.Client, error) {
		tls, err := rest.TLSConfigFor(cfg)
		if err != nil {
			return nil, err
		}
		// The credentials of the configuration (tokens, exec plugins, and so on)
		// are added around a transport that nobody else has.
		transport, err := rest.HTTPWrappersForConfig(cfg, &http.Transport{TLSClientConfig: tls, Proxy: proxy, DialContext: cfg.Dial})
		if err != nil {
			return nil, err
		}
		return &http.Client{Transport: transport}, nil
	}, nil
}
