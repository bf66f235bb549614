module github.com/leader-elector/leader-elector/test/e2e

go 1.26.0

require github.com/leader-elector/leader-elector/test/controlplane v0.0.0

replace github.com/leader-elector/leader-elector/test/controlplane => ../controlplane

require (
	github.com/google/go-containerregistry v0.22.1
	github.com/leader-elector/leader-elector/image v0.0.0
)

require (
	github.com/klauspost/compress v1.19.2 // indirect
	github.com/opencontainers/go-digest v1.0.0 // indirect
	github.com/opencontainers/image-spec v1.1.1 // indirect
	go.yaml.in/yaml/v2 v2.4.2 // indirect
	golang.org/x/crypto/x509roots/fallback v0.0.0-20261030153154-30a33513ff6d // indirect
	golang.org/x/sync v0.22.0 // indirect
	sigs.k8s.io/yaml v1.6.0 // indirect
)

replace github.com/leader-elector/leader-elector/image => ../../image
