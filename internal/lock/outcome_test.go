package lock_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/leader-elector/leader-elector/internal/engine"
	"github.com/leader-elector/leader-elector/internal/kube"
	"github.com/leader-elector/leader-elector/internal/lock"
)

const stored = `{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"music","namespace":"default","uid":"u1","resourceVersion":"42"},"spec":{}}`

// at is a lock on a server that answers reads with stored, and writes as told.
func at(t *testing.T, write http.HandlerFunc) (*lock.Lock, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprint(w, stored)
			return
		}
		// Only past its body does a handler learn that the client has gone.
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		write(w, r)
	}))
	t.Cleanup(server.Close)
	access, err := kube.FromServer(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kube.New(access)
	if err != nil {
		t.Fatal(err)
	}
	l, err := lock.New(client, lock.Leases, "default", "music")
	if err != nil {
		t.Fatal(err)
	}
	return l, server
}

// says answers with a Status object, as an API server does.
func says(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"details":{"name":"music","kind":"leases","group":"coordination.k8s.io"}}`, strings.ReplaceAll(http.StatusText(code), " ", ""), code)
	}
}

func cut(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

func half(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", fmt.Sprint(len(stored)))
	fmt.Fprint(w, stored[:len(stored)/2])
}

// huge is the object, and in it more than anybody needs.
func huge(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, stored[:len(stored)-1], `,"more":"`, strings.Repeat("x", 2<<20), `"}`)
}

// endless never closes its object, and ends only when nobody listens any more.
func endless(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, stored[:len(stored)-1], `,"more":"`)
	for {
		if _, err := io.WriteString(w, strings.Repeat("x", 4<<10)); err != nil {
			return
		}
	}
}

func TestOnlyADefiniteAnswerDecides(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		write http.HandlerFunc
		want  engine.Outcome
	}{
		"200":                   {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, stored) }, engine.OK},
		"404 about this lock":   {says(404), engine.Absent},
		"409":                   {says(409), engine.Conflict},
		"400":                   {says(400), engine.Refused},
		"401":                   {says(401), engine.Refused},
		"403":                   {says(403), engine.Refused},
		"422":                   {says(422), engine.Refused},
		"429":                   {says(429), engine.Refused},
		"500":                   {says(500), engine.Unknown},
		"503":                   {says(503), engine.Unknown},
		"504":                   {says(504), engine.Unknown},
		"a proxy's 404":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, engine.Unknown},
		"a connection cut":      {cut, engine.Unknown},
		"half an answer":        {half, engine.Unknown},
		"no JSON":               {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, engine.Unknown},
		"an object without uid": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"metadata":{"resourceVersion":"43"}}`) }, engine.Unknown},
		"another object": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, strings.Replace(stored, "music", "other", 1))
		}, engine.Unknown},
		"a list": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"metadata":{"resourceVersion":"43"},"items":[`+stored+`]}`)
		}, engine.Unknown},
		"null":                   {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `null`) }, engine.Unknown},
		"metadata that are none": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"metadata":[{}]}`) }, engine.Unknown},
		"2 MiB":                  {huge, engine.Unknown},
		"no end":                 {endless, engine.Unknown},
		"silence":                {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, engine.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, _ := at(t, c.write)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			read := l.Read(ctx)
			if read.Outcome != engine.OK {
				t.Fatalf("the read is answered by %+v", read)
			}
			a := l.Swap(ctx, engine.Swap{On: read.Record, Put: sealed(read.Record, "music-0", noon)})
			if a.Outcome != c.want {
				t.Errorf("a swap answered by %s is %d, want %d: %s", name, a.Outcome, c.want, a.Err)
			}
			if name == "429" && a.RetryAfter != 3*time.Second {
				t.Errorf("the server asked for 3 s, the answer says %v", a.RetryAfter)
			}
		})
	}
}

func TestAWriteThatWasNeverSentIsRefused(t *testing.T) {
	t.Parallel()
	l, server := at(t, says(500))
	ctx := deadline(t)
	read := l.Read(ctx)
	server.Close()
	a := l.Swap(ctx, engine.Swap{On: read.Record, Put: sealed(read.Record, "music-0", noon)})
	if a.Outcome != engine.Refused && a.Outcome != engine.Unknown {
		t.Errorf("no server: %+v", a)
	}
	// The first try may have met the connection's end. The next finds nobody.
	if a = l.Swap(ctx, engine.Swap{On: read.Record, Put: sealed(read.Record, "music-0", noon)}); a.Outcome != engine.Refused {
		t.Errorf("no server, and no connection to it: %+v", a)
	}
}
