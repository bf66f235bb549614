# Every target works on a fresh Debian machine with Go. `make help` lists them.
SHELL       := /bin/bash
.DEFAULT_GOAL := help
export CGO_ENABLED ?= 0

VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS     := -s -w -X main.linked=$(VERSION)
MODULES     := $(patsubst %/,%,$(dir $(shell git ls-files -co --exclude-standard 'go.mod' '*/go.mod')))
CODE        := $(filter-out test/controlplane/programs,$(MODULES))
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
VULNCHECK   := golang.org/x/vuln/cmd/govulncheck@v1.9.0
PLANE       := go run -C test/controlplane ./cmd/controlplane

.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the sidecar for this machine into bin/
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/leader-elector ./cmd/leader-elector

.PHONY: demo
demo: build ## Show an election and a failover on a real API server (DEMO_KEEP=1 leaves it running)
	@go run -C test/controlplane ./cmd/demo -sidecar "$(CURDIR)/bin/leader-elector"

# The race detector needs a C compiler, which a fresh machine may lack.
.PHONY: compiler
compiler:
	@command -v gcc >/dev/null || { \
	  test "$$(id -u)" = 0 || { echo "the race detector needs gcc: apt-get install gcc libc6-dev"; exit 1; }; \
	  echo "installing gcc, which the race detector needs"; \
	  apt-get update -qq && apt-get install -qqy gcc libc6-dev >/dev/null; }

.PHONY: postgres
postgres:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { \
	  test "$$(id -u)" = 0 || { echo "the tests of fencing need a PostgreSQL server: apt-get install postgresql"; exit 1; }; \
	  echo "installing PostgreSQL, which the tests of fencing need"; \
	  mkdir -p /etc/postgresql-common; test -e /etc/postgresql-common/createcluster.conf || echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends postgresql >/dev/null; }

.PHONY: shells
shells:
	@for s in bash zsh fish; do command -v $$s >/dev/null || { \
	  test "$$(id -u)" = 0 || { echo "the tests of completion ask bash, zsh and fish: apt-get install zsh fish"; exit 1; }; \
	  echo "installing zsh and fish, which the tests of completion ask"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends zsh fish >/dev/null; }; done

# Built for the race detector, except where what runs is other people's libraries
# that read our files, and our own programs as they are shipped: Prometheus and
# Helm take a quarter of an hour to build so, and nothing of ours would be watched.
RACELESS    := test/monitoring test/chart release

.PHONY: test
test: build compiler postgres shells ## Run every test, against a real control plane (built at the first run)
	@$(PLANE) build etcd kube-apiserver kubectl
	@set -e; for m in $(CODE); do \
	  echo "== test $$m"; \
	  $(PLANE) run -- env -C "$(CURDIR)/$$m" CGO_ENABLED=1 go test $$(case " $(RACELESS) " in *" $$m "*) ;; *) echo -race;; esac) -timeout 20m ./...; \
	done

.PHONY: check
check: ## Check formatting, vet, staticcheck, tidiness and the other platforms, in all modules
	@test -z "$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go'))" || { echo "not gofmt-ed:"; gofmt -l $$(git ls-files -co --exclude-standard '*.go'); exit 1; }
	@set -e; for m in $(CODE); do \
	  echo "== check $$m"; \
	  go -C $$m vet ./...; \
	  go -C $$m mod tidy -diff; \
	  (cd $$m && go run $(STATICCHECK) ./...); \
	done
	@set -e; for p in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do \
	  echo "== build $$p"; GOOS=$${p%/*} GOARCH=$${p#*/} go build -o /dev/null ./...; \
	done
	@set -e; for p in linux/amd64 darwin/arm64 windows/amd64; do \
	  echo "== build kubectl-leader $$p"; GOOS=$${p%/*} GOARCH=$${p#*/} go -C kubectl-leader build -o /dev/null .; \
	done

.PHONY: vulncheck
vulncheck: ## Look up known vulnerabilities of what the sidecar calls (asks the Go vulnerability database)
	go run $(VULNCHECK) ./...

# At N=20000 this is what CI plays; SEED= and MIX= show one schedule.
.PHONY: sim
sim: ## Simulate schedules of several candidates with faults (N=20000; SEED=7 MIX=late shows one, shrunk if it breaks a law)
ifdef SEED
	go test ./internal/engine/sim -run TestReplay -count=1 -seed=$(SEED) -mix="$(or $(MIX),everything)" -v
else
	SIM_N=$(or $(N),20000) go test ./internal/engine/sim -run "^TestSchedules$$|TestTwoRolls|TestFound" -count=1 -timeout 6h -v
endif

.PHONY: spin
spin:
	@command -v spin >/dev/null || { \
	  test "$$(id -u)" = 0 || { echo "the model needs spin: apt-get install spin"; exit 1; }; \
	  echo "installing spin, which the model needs"; \
	  apt-get update -qq && apt-get install -qqy --no-install-recommends spin >/dev/null; }

.PHONY: model
model: spin compiler ## Look through every state of the protocol's model, and see it fail without each law (ONLY="twins M_NO_SOCKET")
	@test/model/check $(ONLY)

.PHONY: fuzz
fuzz: ## Feed each reader of outside input with what nobody thought of (FUZZTIME=60s each)
	@set -e; grep -rlE '^func Fuzz' --include=*_test.go internal cmd kubectl-leader | while read -r file; do \
	  for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9]*)\(.*/\1/p' "$$file"); do \
	    echo "== $$target ($$(dirname "$$file"))"; \
	    go test -C "$$(dirname "$$file")" . -run '^$$' -fuzz "^$$target\$$" -fuzztime $(or $(FUZZTIME),60s); \
	  done; done

.PHONY: mutants
mutants: ## Break one law after another, and see the tests and the simulation fail (N=20000 ONLY="no seal" OUT=docs/yardstick.md)
	MUTANTS="$(or $(ONLY),1)" SIM_N=$(or $(N),20000) MUTANTS_OUT="$(abspath $(OUT))" go test ./internal/engine/sim -run TestMutants -count=1 -timeout 2h -v

.PHONY: yardstick
yardstick: ## Play client-go's leaderelection and ours in one world of faults, into docs/yardstick.md (SEEDS=200)
	YARDSTICK_SEEDS=$(or $(SEEDS),200) YARDSTICK_OUT="$(CURDIR)/docs/yardstick.md" go test -C test/yardstick -run TestOursNeverHasTwoLeadersAndClientGoHas -count=1 -timeout 120m -v .

# BREAK= builds a sidecar that breaks a law, and demands that it is caught.
.PHONY: chaos
chaos: build ## Break everything around three real sidecars by chance, and judge them (FAULTS=500 SEED=n OUT=docs/chaos.md SIDECAR=path BREAK="trust never runs out")
	@go build -C test/chaos -o "$(CURDIR)/bin/chaos" .
	@bin/chaos -sidecar "$(or $(SIDECAR),bin/leader-elector)" -faults $(or $(FAULTS),500) $(if $(SEED),-seed $(SEED)) $(if $(OUT),-out "$(abspath $(OUT))") $(if $(BREAK),-break "$(BREAK)")

.PHONY: measure-run
measure-run: build ## How long after the end of trust a command of `run` still acts (TRIALS=36 of each fault)
	@$(PLANE) run -- env -C "$(CURDIR)" LEADER_ELECTOR_RUN_TRIALS=$(or $(TRIALS),36) go test ./cmd/leader-elector -run NoTwoCommandsAct -count=1 -parallel 6 -timeout 60m -v | grep -E '^ *--- (PASS|FAIL): [^/]*/[^/]*/[^/]* |runs:|^(ok|FAIL)'

.PHONY: bench
bench: build ## Measure against client-go's leaderelection, under 15 minutes (ONLY=handover,crash OUT=docs/benchmarks.md)
	@go run -C test/bench . -sidecar "$(CURDIR)/bin/leader-elector" $(if $(ONLY),-only "$(ONLY)") $(if $(OUT),-out "$(abspath $(OUT))")

.PHONY: plugin
plugin: ## Build the kubectl plugin for linux, darwin and windows into dist/
	@set -e; for p in $(or $(PLATFORMS),linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64); do \
	  out="$(CURDIR)/dist/kubectl-leader-$${p%/*}-$${p#*/}$$(test "$${p%/*}" = windows && echo .exe || true)"; \
	  echo "== build $$out"; GOOS=$${p%/*} GOARCH=$${p#*/} go build -C kubectl-leader -trimpath -ldflags '$(LDFLAGS)' -o "$$out" .; \
	done

.PHONY: measure-list
measure-list: ## How long `kubectl leader list -A` takes over ELECTIONS=5000 elections on a real API server
	@go test -C test/plugin -run '^TestListOfManyElections$$' -count=1 -timeout 20m -v -elections $(or $(ELECTIONS),5000) . | grep -E 'kubectl leader|^(ok|FAIL)'

.PHONY: image
image: ## Make the container image, linux/amd64 and arm64, as dist/leader-elector.tar (an OCI archive)
	go run -C image ./cmd/image -source "$(CURDIR)" -version '$(VERSION)' -o "$(CURDIR)/dist/leader-elector.tar"

# VERSION is the tag; IMAGE is where users find the image, without its tag; BASE is
# the URL of the folder that they download the files from.
RELEASE = go run -C release ./cmd/release -source "$(CURDIR)" -version '$(VERSION)' -image '$(or $(IMAGE),leader-elector)' -o "$(CURDIR)/dist/release" $(if $(BASE),-base '$(BASE)')

.PHONY: release
release: ## Make programs, image, charts, manifests, SBOMs and checksums in dist/release (VERSION=v1.2.3 IMAGE=registry.example/leader-elector)
	$(RELEASE) make

.PHONY: push
push: ## Push the image with its SBOMs, and the charts, of dist/release to the registry of IMAGE
	@$(RELEASE) push

.PHONY: e2e e2e-up e2e-down bin/e2e bin/helm
bin/e2e:
	@go build -C test/e2e -o "$(CURDIR)/bin/e2e" ./cmd/e2e

bin/helm:
	@go build -C test/chart -ldflags '-s -w' -o "$(CURDIR)/bin/helm" helm.sh/helm/v4/cmd/helm

e2e: bin/e2e bin/helm ## Break pods on two real nodes, and try the examples (root; FULL=1: the whole matrix, resumed, into docs/failover.md)
	bin/e2e run $(if $(FULL),-full -report docs/failover.md) $(E2EFLAGS)

e2e-up: bin/e2e ## Bring two real nodes up and leave them up (root)
	@bin/e2e up

e2e-down: bin/e2e ## Take them down
	@bin/e2e down

.PHONY: clean
clean: ## Remove what the targets above put into this folder
	rm -rf bin dist
