package status

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serve runs a server on a real socket.
func serve(t *testing.T, view func() View, alive error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{View: view, Alive: func(context.Context) error { return alive }, Log: slog.New(slog.DiscardHandler)})
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Shutdown()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve ended with %v", err)
		}
	})
	return "http://" + l.Addr().String()
}

func ask(t *testing.T, method, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func fixed(v View) func() View { return func() View { return v } }

func TestTheRootAnswersAs05ToTheByte(t *testing.T) {
	for _, leader := range []string{"music-0", "", `odd"name`} {
		url := serve(t, fixed(View{Leader: leader}), nil)
		resp, body := ask(t, "GET", url+"/")
		if want := fmt.Sprintf(`{"name":%q}`, leader); resp.StatusCode != http.StatusOK || body != want {
			t.Errorf("GET / answers %d %q, want 200 %q", resp.StatusCode, body, want)
		}
	}
}

func TestAnswersByRole(t *testing.T) {
	leader := View{IsLeader: true, Leader: "a", Ready: true}
	standby := View{Leader: "a", Ready: true, CanTakeOver: true}
	unready := View{LastError: "add to the Role: x"}
	for _, c := range []struct {
		view View
		path string
		want int
	}{
		{leader, "/leader", 200}, {leader, "/standby", 503}, {leader, "/status", 200}, {leader, "/readyz", 200},
		{standby, "/leader", 503}, {standby, "/standby", 200}, {standby, "/status", 200}, {standby, "/readyz", 200},
		{unready, "/leader", 503}, {unready, "/standby", 503}, {unready, "/status", 200}, {unready, "/readyz", 503},
	} {
		url := serve(t, fixed(c.view), nil)
		resp, body := ask(t, "GET", url+c.path)
		if resp.StatusCode != c.want {
			t.Errorf("%+v: GET %s answers %d, want %d", c.view, c.path, resp.StatusCode, c.want)
		}
		if c.want == 503 && c.path == "/readyz" && !strings.Contains(body, "add to the Role") {
			t.Errorf("/readyz does not say what is missing: %q", body)
		}
		if resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s may be cached", c.path)
		}
		head, empty := ask(t, "HEAD", url+c.path)
		if head.StatusCode != c.want || empty != "" {
			t.Errorf("HEAD %s answers %d %q", c.path, head.StatusCode, empty)
		}
	}
}

func TestOtherPathsAndMethodsAreRefused(t *testing.T) {
	url := serve(t, fixed(View{}), nil)
	if resp, _ := ask(t, "GET", url+"/metrics/x"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown path answers %d", resp.StatusCode)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		resp, _ := ask(t, method, url+"/")
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s / answers %d, Allow %q", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
}

func TestEveryAnswerIsComputedWhenItIsAsked(t *testing.T) {
	asked := 0
	url := serve(t, func() View { asked++; return View{Leader: fmt.Sprint("pod-", asked)} }, nil)
	for i := 1; i <= 3; i++ {
		if _, body := ask(t, "GET", url+"/"); body != fmt.Sprintf(`{"name":"pod-%d"}`, i) {
			t.Errorf("answer %d is %s", i, body)
		}
	}
}

func TestAStuckLoopFailsItsLiveness(t *testing.T) {
	if resp, _ := ask(t, "GET", serve(t, fixed(View{}), nil)+"/livez"); resp.StatusCode != http.StatusOK {
		t.Errorf("/livez of a living loop answers %d", resp.StatusCode)
	}
	if resp, body := ask(t, "GET", serve(t, fixed(View{}), errors.New("the loop does not turn"))+"/livez"); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "does not turn") {
		t.Errorf("/livez of a stuck loop answers %d %q", resp.StatusCode, body)
	}
}

func TestSilentConnectionsMakeRoomForAProbe(t *testing.T) {
	url := serve(t, fixed(View{IsLeader: true}), nil)
	var silent []net.Conn
	for range 3 * maxConnections {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		silent = append(silent, conn)
	}
	if resp, _ := ask(t, "GET", url+"/leader"); resp.StatusCode != http.StatusOK {
		t.Errorf("the probe is answered by %d", resp.StatusCode)
	}
	// The server would close them all for their silence, but not so soon.
	soon, closed := time.Now().Add(headerTimeout/2), 0
	for _, conn := range silent {
		conn.SetReadDeadline(soon)
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
			closed++
		}
	}
	if closed < 2*maxConnections {
		t.Errorf("of %d silent connections %d were closed; want all but %d", len(silent), closed, maxConnections)
	}
}

func TestClientsThatAreSlowToSendMakeRoomForAProbe(t *testing.T) {
	url := serve(t, fixed(View{IsLeader: true}), nil)
	for range maxConnections {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// The server waits for a body before it answers and goes on waiting.
		fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nx")
	}
	probe := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for i := range 20 {
		resp, err := probe.Get(url + "/leader")
		if err != nil {
			t.Fatalf("probe %d is not answered: %v", i, err)
		}
		resp.Body.Close()
	}
}

func TestALongHeaderIsRefused(t *testing.T) {
	url := serve(t, fixed(View{}), nil)
	req, err := http.NewRequest("GET", url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X", strings.Repeat("x", 64<<10))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return // the server may close before it has read all
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 64 KiB is answered by %d", resp.StatusCode)
	}
}
