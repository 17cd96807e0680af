# `make` alone lists what one can do. `make check` is the heart of .ci/run.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The binary under test. The suites that are not Go cannot build it themselves.
export PERDURE_BINARY ?= $(CURDIR)/bin/perdure

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# One suite or one package: make test PKG=./record/...
PKG ?= ./...

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  \1\t\2/' | expand -t 14

.PHONY: build
build: ## the binary, in bin/perdure
	go build -o bin/perdure ./cmd/perdure

.PHONY: check
check: build test lint ## what must be green before anything else is worth trying

.PHONY: test
test: ## all tests that need only Go (PKG=./record/... for some)
	go test $(PKG)

.PHONY: cover-activity
cover-activity: ## every statement of engine/activity is run by its own tests
	@profile="$$(mktemp)"; trap 'rm -f "$$profile"' EXIT; \
		go test -count 1 -coverprofile "$$profile" ./engine/activity; \
		if grep ' 0$$' "$$profile"; then echo "not covered: the statements above"; exit 1; fi

.PHONY: lint
lint: ## gofmt, vet and staticcheck; house rules are tests
	@unformatted="$$(git ls-files '*.go' | xargs gofmt -l)"; \
		if [ -n "$$unformatted" ]; then echo "not formatted (gofmt -w):"; echo "$$unformatted"; exit 1; fi
	go vet $(PKG)
	go vet -tags e2e,crash,soak ./e2e/...
	go run $(STATICCHECK) $(PKG)

.PHONY: race
race: ## the tests of everything that has goroutines, with the race detector
	go test -race ./internal/... ./store/... ./record/... ./timers/... ./shard/... ./matching/... ./visibility/... ./registry/... ./frontend/... ./server/...

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (10s) each
	@for pkg in $$(grep -rlE '^func Fuzz' --include=*_test.go --exclude-dir=node_modules . | xargs -n1 dirname | sort -u); do \
		for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]*' $$pkg/*_test.go | sed 's/^func //'); do \
			echo "$$pkg $$target"; go test $$pkg -run '^$$' -fuzz "^$$target\$$" -fuzztime $${FUZZTIME:-10s} -fuzzminimizetime 1s; \
		done; \
	done

.PHONY: sim
sim: ## the simulator on SEEDS (10000) seeds from SEED (1) on, STEPS (1000) events each before all heals
	go run ./sim -seed $${SEED:-1} -seeds $${SEEDS:-10000} -steps $${STEPS:-1000}

.PHONY: sim-cover
sim-cover: ## how much of the core SEEDS (2000) worlds of the simulator reach, by package
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && mkdir "$$dir/data" && \
	go build -cover -coverpkg=./engine/...,./shard/...,./matching/...,./record/...,./timers/...,./sim -o "$$dir/sim" ./sim && \
	{ GOCOVERDIR="$$dir/data" "$$dir/sim" -seed $${SEED:-1} -seeds $${SEEDS:-2000} -steps $${STEPS:-1500} > "$$dir/told" || { cat "$$dir/told"; exit 1; }; } && \
	grep ' worlds, ' "$$dir/told" && \
	go tool covdata textfmt -i "$$dir/data" -o "$$dir/text" && \
	awk 'FNR > 1 { split($$1, at, ":"); pkg = at[1]; sub(/\/[^\/]*$$/, "", pkg); sub(/^github.com\/perdure\/perdure\//, "", pkg); \
		if (pkg == "sim" || pkg ~ /test$$/) next; all[pkg] += $$2; total += $$2; if ($$3 > 0) { hit[pkg] += $$2; reached += $$2 } } \
		END { for (p in all) printf "%-22s %5d statements, %5.1f %%\n", p, all[p], 100 * hit[p] / all[p] | "sort"; close("sort"); \
		printf "%-22s %5d statements, %5.1f %%\n", "together", total, 100 * reached / total }' "$$dir/text"

.PHONY: model
model: ## the machines against oracles: the workflow for STEPS (1000000) random inputs from SEED (1) on, activities for 20000 lives
	go run ./sim/model -steps $${STEPS:-1000000} -seed $${SEED:-1}
	go test -count 1 ./engine/activity/... -run Oracle -rapid.checks 20000 -rapid.nofailfile

.PHONY: planted
planted: ## plant the bugs of sim/planted, one at a time, and see whether each is found (an hour)
	go run ./sim/planted -starts $${STARTS:-3}

.PHONY: crash
crash: build ## kill the server 50 times under load and look for what is missing
	go test -tags crash -count 1 -timeout 30m -v ./e2e/crash

.PHONY: crash-long
crash-long: build ## the same for 30 minutes
	PERDURE_CRASH_FOR=30m go test -tags crash -count 1 -timeout 60m -v ./e2e/crash

.PHONY: crash-points
crash-points: ## cut the power at every write, recoveries included, and flip every bit of a folder (20 min)
	PERDURE_CRASH_POINTS=long go test -count 1 -timeout 60m -v -run 'TestCrashPoints|TestEveryBit' ./store/pebblestore ./visibility

.PHONY: soak
soak: build ## 30 minutes (SOAK=2m for less) of mixed load at 70 % of capacity: nothing may grow
	PERDURE_SOAK_FOR=$${SOAK:-30m} go test -tags soak -count 1 -timeout 120m -v ./e2e/soak

.PHONY: doctor
doctor: build ## examine the data folder DATA (perdure-data) of a stopped server
	$(PERDURE_BINARY) doctor --data $${DATA:-perdure-data}

.PHONY: e2e
e2e: e2e-go e2e-ts e2e-python e2e-java ## the official SDKs of four languages against the binary

.PHONY: e2e-go
e2e-go: build ## the Go SDK's suite, and bad input over raw gRPC
	go test -tags e2e -count 1 -timeout 20m ./e2e/go ./e2e/limits ./e2e/long

.PHONY: e2e-ts
e2e-ts: build ## the TypeScript SDK's suite (needs Node 20)
	cd e2e/typescript && npm install --no-save --no-audit --no-fund && npm test

.PHONY: e2e-python
e2e-python: build ## the Python SDK's suite (needs Python 3.10)
	cd e2e/python && python3 -m venv .venv && .venv/bin/pip install --quiet -r requirements.txt && .venv/bin/python -m pytest -q

.PHONY: e2e-java
e2e-java: build ## the Java SDK's suite (needs Java 17 and Maven)
	cd e2e/java && mvn --batch-mode --quiet test

.PHONY: e2e-ui
e2e-ui: build ## the web UI in a headless browser (needs Chromium)
	cd e2e/ui && go test -count 1 -timeout 10m -v ./...

.PHONY: bench
bench: build ## throughput and latency of the canonical workload, against a server of its own
	$(PERDURE_BINARY) bench

.PHONY: demo
demo: build ## a showcase: server, worker and a handful of orders
	$(PERDURE_BINARY) demo
