// Package chart renders the Helm charts of deploy/chart, writes the parts of
// them that the program's own tables and the manifests determine, and tests both.
//
//	go test . -update
//
// writes those parts anew: after a new flag, a changed right, a changed value.
package chart
