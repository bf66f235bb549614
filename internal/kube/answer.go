package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// status is what is used of the API's Status object.
type status struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
	Code    int    `json:"code"`
	Details struct {
		Name              string `json:"name"`
		Kind              string `json:"kind"`
		RetryAfterSeconds int    `json:"retryAfterSeconds"`
		Causes            []struct {
			Reason string `json:"reason"`
		} `json:"causes"`
	} `json:"details"`
}

// refusal makes the error of an answer that is not the one hoped for.
func (c *Client) refusal(verb string, ref Ref, resp *http.Response, body []byte) *Error {
	var s status
	if json.Unmarshal(body, &s) != nil || s.Kind != "Status" {
		s = status{} // not the API server's own words
	}
	e := c.statusError(verb, ref, resp.StatusCode, &s)
	if after := retryAfter(resp.Header, time.Now()); after > 0 {
		e.RetryAfter = after
	}
	return e
}

// statusError makes the error of a Status, which comes as an answer or within a
// watch.
func (c *Client) statusError(verb string, ref Ref, code int, s *status) *Error {
	e := &Error{
		Verb:       verb,
		Ref:        ref,
		Status:     code,
		Reason:     s.Reason,
		Message:    s.Message,
		RetryAfter: time.Duration(s.Details.RetryAfterSeconds) * time.Second,
	}
	if e.Message == "" {
		e.Message = fmt.Sprintf("%s answers %d %s", c.server, code, http.StatusText(code))
	}
	if code == http.StatusNotFound {
		e.absent = s.Reason == "NotFound" && s.Details.Kind == ref.Resource && s.Details.Name == ref.Name
	}
	if hint := c.hint(e, s); hint != "" {
		e.Message += "; " + hint
	}
	return e
}

// hint says what mends a refusal, or nothing.
func (c *Client) hint(e *Error, s *status) string {
	switch e.Status {
	case http.StatusUnauthorized:
		return c.access.CredentialHint
	case http.StatusForbidden:
		return forbiddenHint(e, s)
	case http.StatusNotFound:
		switch {
		case e.absent:
			return ""
		case s.Details.Kind == "namespaces":
			return "create the namespace, or set --election-namespace"
		case s.Kind == "":
			return "this is not an API server's answer: " + c.addressHint()
		}
		return fmt.Sprintf("this server has no %s of %s", e.Ref.Resource, e.Ref.APIVersion)
	}
	if e.Status >= 300 && e.Status < 400 {
		return "redirects are not followed: " + c.addressHint()
	}
	return ""
}

func (c *Client) addressHint() string {
	if c.access.AddressFrom == "" {
		return "is the API server's URL right?"
	}
	return "is the address from " + c.access.AddressFrom + " right?"
}

// forbiddenHint is the rule that is missing. Not every 403 is about rights: in a
// namespace that is being deleted, a creation is forbidden too.
func forbiddenHint(e *Error, s *status) string {
	for _, cause := range s.Details.Causes {
		if cause.Reason == "NamespaceTerminating" {
			return "the namespace is being deleted"
		}
	}
	if s.Kind == "" {
		return "" // a proxy's no, which no Role mends
	}
	if e.Verb == "list" && e.Ref.Name != "" {
		return "add to the Role: " + e.Ref.Rule("list", "watch") // one without the other is of no use
	}
	return "add to the Role: " + e.Ref.Rule(e.Verb)
}

// Rule is the RBAC rule that allows the verbs on this object, as one line of
// YAML. A creation cannot be limited by name, so create makes it wider, and so
// does a Ref that names none.
func (r Ref) Rule(verbs ...string) string {
	group, _ := r.groupVersion()
	if group == "" {
		group = `""`
	}
	names := fmt.Sprintf("resourceNames: [%s], ", r.Name)
	if r.Name == "" || slices.Contains(verbs, "create") {
		names = ""
	}
	return fmt.Sprintf("{apiGroups: [%s], resources: [%s], %sverbs: [%s]}", group, r.Resource, names, strings.Join(verbs, ", "))
}

// retryAfter reads the header of that name (RFC 9110, 10.2.3): seconds, or a
// date, which is compared with the answer's own where there is one, so that a
// clock that is off does no harm.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if s, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(0, at.Sub(now))
}
