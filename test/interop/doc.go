// Package interop holds our candidates against the real client-go
// leaderelection, and against records exactly as leader-elector:0.5 writes
// them, in one election on one API server. It also shows how a user of
// client-go hands their rest.Config to the library (RESTConfig).
package interop
