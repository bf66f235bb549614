package interop_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/leader-elector/leader-elector/test/interop"
	"k8s.io/client-go/rest"
)

func TestEveryClientOfARESTConfigHasConnectionsOfItsOwnAndTheToken(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	connections := map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		connections[r.RemoteAddr] = true
		fmt.Fprint(w, r.Header.Get("Authorization"))
	}))
	t.Cleanup(s.Close)
	server, newClient, err := interop.RESTConfig(&rest.Config{Host: s.URL, BearerToken: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	const clients = 3
	for range clients {
		c, err := newClient()
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Get(server)
		if err != nil {
			t.Fatal(err)
		}
		var said string
		if _, err := fmt.Fscanf(resp.Body, "Bearer %s", &said); err != nil || said != "secret" {
			t.Errorf("the server was told the token %q, error %v", said, err)
		}
		resp.Body.Close()
	}
	mu.Lock()
	defer mu.Unlock()
	if len(connections) != clients {
		t.Errorf("%d clients had %d connections; one that was given up would come back", clients, len(connections))
	}
}
