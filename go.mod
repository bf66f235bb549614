module github.com/leader-elector/leader-elector

go 1.26.0

require go.yaml.in/yaml/v3 v3.0.6

require (
	github.com/spf13/pflag v1.1.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
