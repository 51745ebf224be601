# make help lists what there is.
SHELL := /bin/bash
GO ?= go
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo dev)

.DEFAULT_GOAL := help
.PHONY: help run build image test check bench

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | expand -t 14

build: ## build bin/tocsin, with the console if Node.js is here
	scripts/console-build --if-possible
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/tocsin ./cmd/tocsin

IMAGE ?= tocsin:dev
image: ## build the image IMAGE (tocsin:dev), with docker, podman or buildah
	@builder=$$(for b in docker podman buildah; do command -v $$b && break; done) || { echo "make image: none of docker, podman and buildah is here" >&2; exit 1; }; \
	set -x; "$$builder" build --build-arg VERSION=$(VERSION) --tag $(IMAGE) .

run: build ## build, serve, and play a recorded attack
	bin/tocsin serve --demo

test: ## everything: rules, tests with the race detector on a real PostgreSQL and Prometheus, a real Kubernetes API server, a real OpenID provider, the Helm chart; the console in a real browser; fuzz targets for a short time
	$(GO) run ./cmd/tocsin rules test rules.d
	scripts/with-prometheus scripts/with-alertmanager scripts/with-postgres $(GO) test -race -timeout 30m ./...
	cd test/kube && $(GO) test -timeout 20m ./...
	cd test/oidc && $(GO) test -count=1 -timeout 10m ./...
	cd test/helm && $(GO) test -count=1 -timeout 15m ./...
	scripts/console-test
	scripts/fuzz

check: ## what CI checks besides the tests: format, vet, linters
	@test -z "$$(gofmt -l .)" || { echo "not gofmt-ed:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) mod tidy -diff
	cd test/kube && $(GO) vet ./... && $(GO) mod tidy -diff
	cd test/oidc && $(GO) vet ./... && $(GO) mod tidy -diff
	cd test/helm && $(GO) vet ./... && $(GO) mod tidy -diff
	$(GO) tool -modfile=tools/go.mod golangci-lint run ./...

bench: ## the benchmarks behind docs/performance.md
	scripts/with-postgres $(GO) test -run '^$$' -bench . -benchmem -timeout 3h ./...
	scripts/bench-sigma
