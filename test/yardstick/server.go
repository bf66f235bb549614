package yardstick

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	coordination "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
)

const (
	namespace = "ns"
	election  = "music"
	leases    = "/apis/coordination.k8s.io/v1/namespaces/" + namespace + "/leases"
	reviews   = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
)

// server is the API server as far as an election sees it: one Lease, written by
// compare-and-swap on its uid and resourceVersion, and the history of it that a
// watch reads.
type server struct {
	mu      sync.Mutex
	version uint64
	uids    int
	lease   *coordination.Lease // nil: there is none; never changed in place
	history []change
	changed chan struct{} // closed at the next change
	wrote   func(lease *coordination.Lease, by string)
}

// change is one event of the watch.
type change struct {
	version uint64
	kind    string
	object  []byte
}

// ask is a request as it travels.
type ask struct {
	from         string // the identity of whoever asks
	method, path string
	query        url.Values
	body         []byte
}

// reply is an answer as it travels.
type reply struct {
	code   int
	header http.Header
	body   []byte
}

func newServer(wrote func(lease *coordination.Lease, by string)) *server {
	return &server{version: 100, changed: make(chan struct{}), wrote: wrote}
}

// handle carries a request out at this instant.
func (s *server) handle(q ask) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case q.method == http.MethodPost && q.path == reviews:
		return reply{code: http.StatusCreated, body: []byte(`{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":{"allowed":true}}`)}
	case q.method == http.MethodGet && q.path == leases:
		return s.list()
	case q.method == http.MethodGet && q.path == leases+"/"+election:
		if s.lease == nil {
			return notFound()
		}
		return answer(http.StatusOK, s.lease)
	case q.method == http.MethodPost && q.path == leases:
		return s.create(q)
	case q.method == http.MethodPut && q.path == leases+"/"+election:
		return s.update(q)
	}
	return refusal(http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, q.method+" "+q.path+" is not served here")
}

func (s *server) list() reply {
	list := coordination.LeaseList{
		TypeMeta: metav1.TypeMeta{Kind: "LeaseList", APIVersion: "coordination.k8s.io/v1"},
		ListMeta: metav1.ListMeta{ResourceVersion: strconv.FormatUint(s.version, 10)},
		Items:    []coordination.Lease{},
	}
	if s.lease != nil {
		list.Items = append(list.Items, *s.lease)
	}
	return answer(http.StatusOK, &list)
}

func (s *server) create(q ask) reply {
	lease, err := decode(q.body)
	if err != nil {
		return refusal(http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
	}
	if s.lease != nil {
		return refusal(http.StatusConflict, metav1.StatusReasonAlreadyExists, "it exists already")
	}
	s.uids++
	lease.UID = types.UID(fmt.Sprintf("uid-%d", s.uids))
	lease.CreationTimestamp = metav1.Now()
	s.store("ADDED", lease, q.from)
	return answer(http.StatusCreated, s.lease)
}

// update replaces exactly the version that the body names, as both kinds of
// candidate always do.
func (s *server) update(q ask) reply {
	lease, err := decode(q.body)
	if err != nil {
		return refusal(http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
	}
	if lease.ResourceVersion == "" {
		return refusal(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "an update without a resourceVersion")
	}
	if s.lease == nil {
		return notFound()
	}
	if lease.ResourceVersion != s.lease.ResourceVersion || lease.UID != s.lease.UID {
		return refusal(http.StatusConflict, metav1.StatusReasonConflict, "the object has been modified")
	}
	lease.CreationTimestamp = s.lease.CreationTimestamp
	s.store("MODIFIED", lease, q.from)
	return answer(http.StatusOK, s.lease)
}

// edit is a person's write.
func (s *server) edit(by func(*coordination.LeaseSpec)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease != nil {
		lease := s.lease.DeepCopy()
		by(&lease.Spec)
		s.store("MODIFIED", lease, "")
	}
}

// remove is kubectl delete.
func (s *server) remove() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease != nil {
		s.store("DELETED", s.lease.DeepCopy(), "")
		s.lease = nil
	}
}

// store commits; the mutex is held.
func (s *server) store(kind string, lease *coordination.Lease, by string) {
	s.version++
	lease.TypeMeta = metav1.TypeMeta{Kind: "Lease", APIVersion: "coordination.k8s.io/v1"}
	lease.ResourceVersion = strconv.FormatUint(s.version, 10)
	s.lease = lease
	s.history = append(s.history, change{version: s.version, kind: kind, object: encode(lease)})
	s.wrote(lease, by)
	close(s.changed)
	s.changed = make(chan struct{})
}

// after is the first change after a version, or when there may be one.
func (s *server) after(version uint64) (change, bool, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.history {
		if c.version > version {
			return c, true, nil
		}
	}
	return change{}, false, s.changed
}

// bookmark tells a watch that has had no news where it stands.
func (s *server) bookmark() change {
	s.mu.Lock()
	defer s.mu.Unlock()
	object := fmt.Sprintf(`{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"resourceVersion":"%d"},"spec":{}}`, s.version)
	return change{version: s.version, kind: "BOOKMARK", object: []byte(object)}
}

func (c change) frame() []byte {
	return []byte(`{"type":"` + c.kind + `","object":` + strings.TrimSpace(string(c.object)) + "}\n")
}

// decode reads a Lease as JSON, or as the protobuf that client-go writes.
func decode(body []byte) (*coordination.Lease, error) {
	lease := new(coordination.Lease)
	_, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, lease)
	return lease, err
}

func answer(code int, object any) reply { return reply{code: code, body: encode(object)} }

func encode(object any) []byte {
	body, err := json.Marshal(object)
	if err != nil {
		panic("yardstick: an object of the API that is no JSON: " + err.Error())
	}
	return body
}

func refusal(code int32, reason metav1.StatusReason, message string) reply {
	return answer(int(code), &metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: code, Reason: reason, Message: message,
		Details: &metav1.StatusDetails{Name: election, Group: "coordination.k8s.io", Kind: "leases"},
	})
}

func notFound() reply {
	return refusal(http.StatusNotFound, metav1.StatusReasonNotFound, "there is no such Lease")
}

// throttled is API Priority and Fairness's answer.
func throttled(after time.Duration) reply {
	r := refusal(http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "too many requests")
	r.header = http.Header{"Retry-After": {strconv.Itoa(int(after.Seconds()))}}
	return r
}

func broken() reply {
	return refusal(http.StatusInternalServerError, metav1.StatusReasonInternalError, "etcdserver: request timed out")
}
