// Package inject turns a Deployment or StatefulSet and its Service into an
// election: it adds the sidecar, its rights and the routing to manifests, as the
// text that they are.
//
// The text is edited at positions that the YAML parser tells, and never written
// anew, so comments, order, quotes and line endings stay. Every change is made
// twice, once in the text and once in what it means; at the end the text is
// parsed again, and if it does not mean what it should, nothing is put out. So
// YAML that this package does not understand is refused, and not spoiled.
//
// It reads and writes no file, and asks no cluster: what is there of a Service
// that is moved over is handed in ([Live]).
package inject
