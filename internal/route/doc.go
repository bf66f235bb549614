// Package route makes traffic follow the lead. It talks to the API server about
// the objects that decide where a Service's traffic goes, and is told by an
// [elector.Follower]'s calls when this candidate leads.
package route
