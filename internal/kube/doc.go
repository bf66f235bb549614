// Package kube talks to one Kubernetes API server about a few named objects:
// get, create, update and watch. It knows no election.
//
// It is lean on purpose, because every pod of a fleet pays for it: net/http over
// HTTP/1.1, encoding/json, and no types of the API but object metadata and
// Status. Objects go in and out as the bytes of their JSON.
//
// # Requests
//
// The context of a request is its bound; nothing is retried here. A request that
// ends by its deadline, by cancellation, by a transport error or by a 5xx gives
// up its connection for good: the [http.Client] is dropped and the next request
// gets a fresh one from [Access.NewClient]. So an established connection that
// silently carries nothing any more costs one attempt, never the lead. A watch
// has a client of its own, and neither can hurt the other.
//
// A [Client.Get] is a consistent read. A [Client.Update] without the uid and the
// resourceVersion of what it replaces is refused before it is sent: the server
// would create a Lease anew that was deleted in between.
//
// # Errors
//
// Every error is an [*Error], made for two readers. Programs ask errors.Is for
// [ErrNotFound], [ErrConflict], [ErrForbidden], [ErrUnauthorized],
// [ErrThrottled], [ErrInvalid] and [ErrUnavailable], and [Error.NotSent] whether
// the request surely never reached the server; whatever is ErrUnavailable and
// not NotSent may have been carried out, now or later. People read a sentence
// that ends with what mends it: the RBAC rule to add, the flag to set.
//
// # Proxies
//
// The transports made here ignore HTTP_PROXY and HTTPS_PROXY: something between
// that caches or retries would break the promise that a read is consistent, and
// in a pod the API server is never behind one.
package kube
