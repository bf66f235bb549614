// Package plugin tests the kubectl plugin together with what it looks at: the
// real sidecar, a real kube-apiserver whose proxy asks it, and the candidates'
// own reader of locks. It is a module of its own, because the plugin's stands
// alone.
//
// The tests run in a network namespace of their own: an API server proxies to no
// loopback address, so the pods need others.
package plugin
