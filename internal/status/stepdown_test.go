package status

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// door runs a server whose hand-overs are done by stepDown, on an address.
func door(t *testing.T, address string, view View, stepDown func(context.Context, string) (string, error), successor func(context.Context) string) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{View: fixed(view), Log: slog.New(slog.DiscardHandler), StepDown: stepDown, Successor: successor})
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() { s.Shutdown(); <-done })
	return "http://" + l.Addr().String()
}

func post(t *testing.T, url, body string, header ...string) (int, string, HandedOver) {
	t.Helper()
	req, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if req.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var a HandedOver
	json.Unmarshal(data, &a) // a refusal of the request is plain text
	return resp.StatusCode, string(data), a
}

// toAnybody is a hand-over that b accepts.
func toAnybody(_ context.Context, to string) (string, error) {
	if to == "" {
		to = "b"
	}
	return to, nil
}

func unasked(t *testing.T) func(context.Context, string) (string, error) {
	return func(context.Context, string) (string, error) {
		t.Error("the election was asked to hand over")
		return "", nil
	}
}

func TestAHandOverIsAnsweredByWhoAcceptedOrWhyNot(t *testing.T) {
	for _, body := range []string{"", " \n", "{}", `{"to":""}`} {
		url := door(t, "127.0.0.1:0", View{}, toAnybody, nil)
		if code, text, a := post(t, url+"/step-down", body); code != http.StatusOK || !a.HandedOver || a.To != "b" {
			t.Errorf("to anybody, body %q: %d %s", body, code, text)
		}
	}
	url := door(t, "127.0.0.1:0", View{}, toAnybody, nil)
	if code, text, a := post(t, url+"/step-down", `{"to":"c"}`); code != http.StatusOK || a.To != "c" {
		t.Errorf("to c: %d %s", code, text)
	}
	refuse := func(context.Context, string) (string, error) { return "", Refusal("nobody accepted") }
	url = door(t, "127.0.0.1:0", View{IsLeader: true, Paused: true}, refuse, nil)
	if code, text, a := post(t, url+"/step-down", ""); code != http.StatusConflict || a.HandedOver || a.Reason != "nobody accepted" || !a.IsLeader || !a.Paused {
		t.Errorf("refused: %d %s", code, text)
	}
	ended := func(context.Context, string) (string, error) { return "", errors.New("the elector does not run") }
	url = door(t, "127.0.0.1:0", View{}, ended, nil)
	if code, text, a := post(t, url+"/step-down", ""); code != http.StatusServiceUnavailable || a.Reason == "" {
		t.Errorf("without an election: %d %s", code, text)
	}
}

func TestWaitAnswersWhenASuccessorIsSeen(t *testing.T) {
	seen := func(context.Context) string { return "b" }
	never := func(ctx context.Context) string { <-ctx.Done(); return "" }
	url := door(t, "127.0.0.1:0", View{}, toAnybody, seen)
	if _, text, a := post(t, url+"/step-down?wait=true", ""); a.Leader != "b" {
		t.Errorf("with a successor: %s", text)
	}
	url = door(t, "127.0.0.1:0", View{}, toAnybody, never)
	if code, text, a := post(t, url+"/step-down?wait=20ms", ""); code != http.StatusOK || !a.HandedOver || a.Leader != "" {
		t.Errorf("without a successor: %d %s", code, text)
	}
	url = door(t, "127.0.0.1:0", View{}, unasked(t), never)
	if code, text, _ := post(t, url+"/step-down?wait=long", ""); code != http.StatusBadRequest || !strings.Contains(text, "write true or a duration") {
		t.Errorf("wait=long: %d %s", code, text)
	}
}

func TestABodyThatIsNotUnderstoodHandsNothingOver(t *testing.T) {
	url := door(t, "127.0.0.1:0", View{}, unasked(t), nil)
	for body, want := range map[string]int{
		`{"too":"b"}`:                          http.StatusBadRequest,
		`{"to":"b"} {}`:                        http.StatusBadRequest,
		`{"to":7}`:                             http.StatusBadRequest,
		`b`:                                    http.StatusBadRequest,
		strings.Repeat(" ", maxStepDownBody+1): http.StatusRequestEntityTooLarge,
	} {
		if code, text, _ := post(t, url+"/step-down", body); code != want {
			t.Errorf("body %.20q: %d %s, want %d", body, code, text, want)
		}
	}
}

func TestOnlyPOSTHandsOver(t *testing.T) {
	url := door(t, "127.0.0.1:0", View{}, unasked(t), nil)
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
		if resp, _ := ask(t, method, url+"/step-down"); resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
}

func TestABrowserHandsNothingOver(t *testing.T) {
	url := door(t, "127.0.0.1:0", View{}, unasked(t), nil)
	for _, header := range [][2]string{
		{"Origin", "http://example.com"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"},
		{"Host", "rebound.example.com"}, {"Host", "rebound.example.com:4040"},
	} {
		if code, text, _ := post(t, url+"/step-down", "", header[0], header[1]); code != http.StatusForbidden {
			t.Errorf("%v: %d %s", header, code, text)
		}
	}
	url = door(t, "127.0.0.1:0", View{}, toAnybody, nil)
	for _, host := range []string{"localhost", "LOCALHOST:4040", "127.0.0.1", "[::1]:4040", "10.0.0.7:4040"} {
		if code, text, _ := post(t, url+"/step-down", "", "Host", host); code != http.StatusOK {
			t.Errorf("Host %s: %d %s", host, code, text)
		}
	}
}

// TestOnlyThisPodHandsOver asks with client addresses that a test cannot have
// on a socket, so it asks the handler.
func TestOnlyThisPodHandsOver(t *testing.T) {
	for _, c := range []struct {
		from, at string
		want     bool
	}{
		{"127.0.0.1:999", "127.0.0.1:4040", true},
		{"127.0.0.7:999", "127.0.0.1:4040", true},
		{"[::1]:999", "[::1]:4040", true},
		{"[::ffff:127.0.0.1]:999", "[::ffff:127.0.0.1]:4040", true},
		{"10.0.0.7:999", "10.0.0.7:4040", true}, // the pod's own address
		{"10.0.0.8:999", "10.0.0.7:4040", false},
		{"[fd00::8]:999", "[fd00::7]:4040", false},
		{"[::ffff:10.0.0.8]:999", "[::ffff:10.0.0.7]:4040", false},
		{"nonsense", "10.0.0.7:4040", false},
	} {
		at, err := net.ResolveTCPAddr("tcp", c.at)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, at), "POST", "http://localhost/step-down", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.RemoteAddr = c.from
		if why := notFromHere(r); (why == "") != c.want {
			t.Errorf("from %s at %s: %q", c.from, c.at, why)
		}
	}
}

// An app may take longer to stop than a client may take to send its request:
// neither the connection nor the request's context ends meanwhile.
func TestALongHandOverIsAnswered(t *testing.T) {
	t.Parallel()
	slow := func(ctx context.Context, _ string) (string, error) {
		long := time.NewTimer(requestTimeout + 500*time.Millisecond)
		defer long.Stop()
		select {
		case <-long.C:
			return "b", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	url := door(t, "127.0.0.1:0", View{}, slow, nil)
	if code, text, a := post(t, url+"/step-down", ""); code != http.StatusOK || a.To != "b" {
		t.Errorf("%d %s", code, text)
	}
}
