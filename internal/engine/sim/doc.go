// Package sim plays elections of several candidates against a model of the API
// server, in simulated time and by a seed, and checks at every step what must
// never happen. It drives the engine's own Machine, the one that runs in
// production; only clocks, network, server and operators are modelled.
//
// A schedule lasts two simulated minutes. Requests are lost before or after
// they are committed, arrive late (also after the client gave them up), the
// watch lags; processes freeze, crash and restart; clocks run at rates that
// differ by up to a percent; people edit, empty, delete and pause the lock;
// etcd is restored. Then all faults end, and somebody has to lead.
package sim
