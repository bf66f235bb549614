package listener

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

func TestAPortIsUsedOnce(t *testing.T) {
	var mu sync.Mutex
	ports := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, port, _ := net.SplitHostPort(r.RemoteAddr)
		mu.Lock()
		defer mu.Unlock()
		if ports[port] {
			t.Error("port", port, "is used again")
		}
		ports[port] = true
		io.WriteString(w, "a")
	}))
	defer server.Close()
	client := portsOnce()
	for range 300 {
		if _, _, err := ask(context.Background(), client, server.URL); err != nil {
			t.Fatal(err)
		}
	}
}
