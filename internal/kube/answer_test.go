package kube

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

var lease = Ref{APIVersion: "coordination.k8s.io/v1", Resource: "leases", Namespace: "music", Name: "station"}
var endpoints = Ref{APIVersion: "v1", Resource: "endpoints", Namespace: "music", Name: "station"}

func testClient(t *testing.T, a Access) *Client {
	t.Helper()
	if a.Server == "" {
		a.Server = "https://10.0.0.1:443"
	}
	c, err := New(a)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAForbiddenErrorEndsWithTheRuleToAdd(t *testing.T) {
	const body = `{"kind":"Status","reason":"Forbidden","code":403,"message":"leases is forbidden"}`
	for _, tc := range []struct {
		verb string
		ref  Ref
		want string
	}{
		{"get", lease, "{apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [station], verbs: [get]}"},
		{"update", lease, "{apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [station], verbs: [update]}"},
		{"watch", lease, "{apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [station], verbs: [watch]}"},
		{"list", lease, "{apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [station], verbs: [list, watch]}"},
		{"create", lease, "{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create]}"},
		{"get", endpoints, `{apiGroups: [""], resources: [endpoints], resourceNames: [station], verbs: [get]}`},
	} {
		c := testClient(t, Access{})
		e := c.refusal(tc.verb, tc.ref, &http.Response{StatusCode: 403}, []byte(body))
		if want := "; add to the Role: " + tc.want; !strings.HasSuffix(e.Message, want) {
			t.Errorf("%s %s: %q does not end with %q", tc.verb, tc.ref.Resource, e.Message, want)
		}
	}
}

func TestARoleIsNotBlamedForWhatItCannotMend(t *testing.T) {
	for name, body := range map[string]string{
		"a proxy's 403": "<html>Forbidden</html>",
		"a namespace that ends": `{"kind":"Status","reason":"Forbidden","code":403,"message":"unable to create new content in namespace music because it is being terminated",
			"details":{"causes":[{"reason":"NamespaceTerminating"}]}}`,
	} {
		e := testClient(t, Access{}).refusal("create", lease, &http.Response{StatusCode: 403}, []byte(body))
		if !errors.Is(e, ErrForbidden) || strings.Contains(e.Message, "Role") {
			t.Errorf("%s: %v", name, e)
		}
	}
}

func TestEveryAnswerIsOneFact(t *testing.T) {
	facts := []error{ErrNotFound, ErrConflict, ErrForbidden, ErrUnauthorized, ErrThrottled, ErrInvalid, ErrUnavailable}
	const ours = `{"kind":"Status","reason":"NotFound","code":404,"message":"leases \"station\" not found","details":{"name":"station","group":"coordination.k8s.io","kind":"leases"}}`
	for _, tc := range []struct {
		code int
		body string
		want error
	}{
		{404, ours, ErrNotFound},
		{404, "404 page not found", ErrUnavailable}, // a proxy says so, or a wrong path
		{404, `{"kind":"Status","reason":"NotFound","details":{}}`, ErrUnavailable},
		{404, `{"kind":"Status","reason":"NotFound","details":{"name":"music","kind":"namespaces"}}`, ErrUnavailable},
		{404, strings.ReplaceAll(ours, "station", "other"), ErrUnavailable},
		{409, `{"kind":"Status","reason":"Conflict"}`, ErrConflict},
		{409, `{"kind":"Status","reason":"AlreadyExists"}`, ErrConflict},
		{403, `{"kind":"Status","reason":"Forbidden"}`, ErrForbidden},
		{401, `{"kind":"Status","reason":"Unauthorized"}`, ErrUnauthorized},
		{429, "", ErrThrottled},
		{400, "", ErrInvalid},
		{422, "", ErrInvalid},
		{302, "", ErrUnavailable},
		{408, "", ErrUnavailable}, // a proxy had sent some of it
		{500, "", ErrUnavailable},
		{503, "", ErrUnavailable},
		{504, "", ErrUnavailable},
		{200, "", ErrUnavailable}, // a creation that made nothing, say
	} {
		e := testClient(t, Access{}).refusal("get", lease, &http.Response{StatusCode: tc.code}, []byte(tc.body))
		for _, fact := range facts {
			if errors.Is(e, fact) != (fact == tc.want) {
				t.Errorf("%d %.60s: errors.Is %v is %v, want only %v", tc.code, tc.body, fact, fact != tc.want, tc.want)
			}
		}
		if e.NotSent() {
			t.Errorf("%d: an answer to what was not sent", tc.code)
		}
	}
}

func TestAnErrorSaysWhatMendsIt(t *testing.T) {
	server, err := FromServer("http://127.0.0.1:8001")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		access Access
		code   int
		body   string
		want   string
	}{
		{server, 401, "", "use --kubeconfig, or the address that kubectl proxy prints"},
		{Access{}, 401, "", "the server does not accept these credentials"},
		{server, 404, "<html>", "is the address from --server right?"},
		{server, 301, "", "redirects are not followed: is the address from --server right?"},
		{server, 404, `{"kind":"Status","details":{"name":"music","kind":"namespaces"}}`, "set --election-namespace"},
		{server, 404, `{"kind":"Status","message":"the server could not find the requested resource"}`, "no leases of coordination.k8s.io/v1"},
	} {
		e := testClient(t, tc.access).refusal("get", lease, &http.Response{StatusCode: tc.code}, []byte(tc.body))
		if !strings.Contains(e.Error(), tc.want) {
			t.Errorf("%d: %q does not say %q", tc.code, e, tc.want)
		}
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		header, date string
		want         time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"7", "", 7 * time.Second},
		{"-7", "", 0},
		{"soon", "", 0},
		{"99999999999999999999", "", 0},
		{"Mon, 23 Nov 2026 12:00:05 GMT", "", 5 * time.Second},
		{"Mon, 23 Nov 2026 11:00:00 GMT", "", 0},
		{"Mon, 23 Nov 2026 13:00:05 GMT", "Mon, 23 Nov 2026 13:00:00 GMT", 5 * time.Second}, // our clock is off
	} {
		h := http.Header{"Retry-After": {tc.header}, "Date": {tc.date}}
		if got := retryAfter(h, now); got != tc.want {
			t.Errorf("%q at %q: %v, want %v", tc.header, tc.date, got, tc.want)
		}
	}
	body := `{"kind":"Status","details":{"retryAfterSeconds":3}}`
	e := testClient(t, Access{}).refusal("get", lease, &http.Response{StatusCode: 429}, []byte(body))
	if e.RetryAfter != 3*time.Second {
		t.Errorf("of the Status: %v, want 3s", e.RetryAfter)
	}
}
