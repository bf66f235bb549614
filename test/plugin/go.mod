module github.com/leader-elector/leader-elector/test/plugin

go 1.26.0

require (
	github.com/leader-elector/leader-elector v0.0.0
	golang.org/x/sys v0.49.0
)

replace (
	github.com/leader-elector/leader-elector => ../..
	github.com/leader-elector/leader-elector/kubectl-leader => ../../kubectl-leader
)
