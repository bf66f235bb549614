package kube

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// facing starts a real HTTP server, and a client of it.
func facing(t *testing.T, h http.HandlerFunc) (*httptest.Server, *Client) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	a, err := FromServer(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := testClient(t, a)
	t.Cleanup(c.line.close)
	return srv, c
}

func TestARequestIsWhatTheAPIExpects(t *testing.T) {
	var got string
	_, c := facing(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = fmt.Sprint(r.Method, " ", r.URL, " ", r.UserAgent(), " ", r.Header.Get("Accept"), " ", r.Header.Get("Content-Type"), " ", len(b))
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
		}
		io.WriteString(w, "{}")
	})
	c.access.UserAgent = "leader-elector/1"
	for _, tc := range []struct {
		do   func() ([]byte, error)
		want string
	}{
		{func() ([]byte, error) { return c.Get(t.Context(), lease) }, "GET /apis/coordination.k8s.io/v1/namespaces/music/leases/station leader-elector/1 application/json  0"},
		{func() ([]byte, error) { return c.Get(t.Context(), endpoints) }, "GET /api/v1/namespaces/music/endpoints/station leader-elector/1 application/json  0"},
		{func() ([]byte, error) { return c.Create(t.Context(), lease, []byte("{}")) }, "POST /apis/coordination.k8s.io/v1/namespaces/music/leases leader-elector/1 application/json application/json 2"},
		{func() ([]byte, error) {
			_, err := c.List(t.Context(), lease, "team=radio,x!=y")
			return []byte("{}"), err
		}, "GET /apis/coordination.k8s.io/v1/namespaces/music/leases?labelSelector=team%3Dradio%2Cx%21%3Dy leader-elector/1 application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1  0"},
		{func() ([]byte, error) { return c.Update(t.Context(), lease, []byte(body("u", "1"))) }, fmt.Sprint("PUT /apis/coordination.k8s.io/v1/namespaces/music/leases/station leader-elector/1 application/json application/json ", len(body("u", "1")))},
	} {
		if b, err := tc.do(); err != nil || string(b) != "{}" {
			t.Errorf("%s: %s, %v", tc.want, b, err)
		}
		if got != tc.want {
			t.Errorf("%s\nwant %s", got, tc.want)
		}
	}
}

func TestAnUpdateWithoutUIDOrVersionIsNotSent(t *testing.T) {
	_, c := facing(t, func(w http.ResponseWriter, r *http.Request) { t.Error("it was sent") })
	for _, b := range []string{body("", "1"), body("u", ""), "{}", "nonsense"} {
		_, err := c.Update(t.Context(), lease, []byte(b))
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrInvalid) || !e.NotSent() {
			t.Errorf("%s: %v", b, err)
		}
	}
}

func TestAnotherSuccessIsNoSuccess(t *testing.T) {
	var code int
	_, c := facing(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code); io.WriteString(w, "{}") })
	code = http.StatusCreated
	if _, err := c.Update(t.Context(), lease, []byte(body("u", "1"))); !errors.Is(err, ErrUnavailable) {
		t.Errorf("an update that created: %v", err)
	}
	code = http.StatusOK
	if _, err := c.Create(t.Context(), lease, []byte("{}")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a creation that did not: %v", err)
	}
}

func TestAnAnswerThatIsNotWholeIsUnknown(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"a broken body": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "{")
		},
		"a broken chunk": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "{")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		"an endless body": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		},
		"no answer": func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
		"a half-closed connection": func(w http.ResponseWriter, r *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, conn)
			conn.Close()
		},
		"no HTTP": func(w http.ResponseWriter, r *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(conn, "SSH-2.0-OpenSSH\r\n")
			conn.Close()
		},
	} {
		_, c := facing(t, h)
		_, err := c.Update(t.Context(), lease, []byte(body("u", "1")))
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrUnavailable) || e.NotSent() || e.Status != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAHangingAnswerEndsAtTheDeadlineAndLeavesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, c := play(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		begin := time.Now()
		_, err := c.Get(ctx, lease)
		var e *Error
		if !errors.As(err, &e) || e.NotSent() || !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), "no answer from http://played in time") {
			t.Errorf("%v", err)
		}
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("it took %v", took)
		}
		p.becomes(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "{}") })
		for range 3 {
			if _, err := c.Get(t.Context(), lease); err != nil {
				t.Error(err)
			}
		}
		if p.connections() != 2 {
			t.Errorf("%d connections, want a second one that stays", p.connections())
		}
	})
}

func TestAClientIsUsedUntilARequestOnItFails(t *testing.T) {
	var code atomic.Int32
	srv, c := facing(t, func(w http.ResponseWriter, r *http.Request) {
		if code.Load() == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(int(code.Load()))
	})
	made := 0
	c.line.newClient = func() (*http.Client, error) {
		made++
		return newHTTPClient(nil, nil), nil
	}
	for _, tc := range []struct {
		code int32
		made int
	}{{200, 1}, {404, 1}, {409, 1}, {429, 1}, {500, 1}, {200, 2}, {0, 2}, {200, 3}, {200, 3}} {
		code.Store(tc.code)
		c.Get(t.Context(), lease)
		if made != tc.made {
			t.Errorf("%d clients with the %d, want %d", made, tc.code, tc.made)
		}
	}
	srv.CloseClientConnections()
}

func TestAFailedRequestLeavesTheWatchAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hang atomic.Bool
		p, c := play(t, lists(9, 5, stand))
		watch := p.handler
		p.becomes(func(w http.ResponseWriter, r *http.Request) {
			if hang.Load() {
				<-r.Context().Done()
				return
			}
			watch(w, r)
		})
		clients := 0
		made := c.access.NewClient
		c.access.NewClient = func() (*http.Client, error) {
			clients++
			return made()
		}
		n := watching(t, c)
		n.expect(t, "listed 5, up")
		if clients != 1 {
			t.Errorf("the watch made %d clients, want one of its own", clients)
		}
		hang.Store(true)
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			c.Get(ctx, lease)
			cancel()
		}
		n.expect(t, "")
	})
}

func TestARequestWithoutAConnectionWasNotSent(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never shakes hands
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	strange := httptest.NewUnstartedServer(nil) // of no known authority
	strange.Config.ErrorLog = log.New(io.Discard, "", 0)
	strange.StartTLS()
	defer strange.Close()
	for name, server := range map[string]string{
		"refused":   "http://" + closed.Addr().String(),
		"handshake": "https://" + silent.Addr().String(),
		"authority": strange.URL,
	} {
		a, err := FromServer(server)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err = testClient(t, a).Update(ctx, lease, []byte(body("u", "1")))
		cancel()
		var e *Error
		if !errors.As(err, &e) || !e.NotSent() || !errors.Is(err, ErrUnavailable) || !strings.HasSuffix(err.Error(), "is the address from --server right?") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// muteTransport does not tell a trace about its connections.
type muteTransport struct{}

func (muteTransport) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("something went wrong")
}

func TestATransportThatDoesNotTraceMayHaveSent(t *testing.T) {
	c := testClient(t, Access{NewClient: func() (*http.Client, error) { return &http.Client{Transport: muteTransport{}}, nil }})
	_, err := c.Update(t.Context(), lease, []byte(body("u", "1")))
	var e *Error
	if !errors.As(err, &e) || e.NotSent() {
		t.Errorf("%v", err)
	}
}

func TestATokenDoesNotFollowARedirect(t *testing.T) {
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("the redirect was followed") }))
	defer thief.Close()
	srv := httptest.NewTLSServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	defer srv.Close()
	c := testClient(t, Access{Server: srv.URL, NewClient: func() (*http.Client, error) {
		return newHTTPClient(&tls.Config{InsecureSkipVerify: true}, &tokenSource{token: "secret"}), nil
	}})
	defer c.line.close()
	if _, err := c.Get(t.Context(), lease); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "redirects are not followed") {
		t.Errorf("%v", err)
	}
}

func TestATimeoutOfTheCallersClientDoesNotEndAWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := play(t, lists(9, 5, stand))
		made := c.access.NewClient
		c.access.NewClient = func() (*http.Client, error) {
			client, err := made()
			client.Timeout = time.Second
			return client, err
		}
		n := watching(t, c)
		time.Sleep(time.Minute)
		n.expect(t, "listed 5, up")
	})
}

func TestOwnTransportsTakeNoProxyAndNoHTTP2(t *testing.T) {
	transport := newHTTPClient(nil, nil).Transport.(*http.Transport)
	if transport.Proxy != nil || transport.Protocols.HTTP2() || transport.Protocols.UnencryptedHTTP2() {
		t.Errorf("%+v", transport)
	}
}
