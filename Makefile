# `make help` lists what there is.
.DEFAULT_GOAL := help
.PHONY: help run test lint bench fuzz crash clients

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## the server, on ./data (made at the first start)
	cargo run --release

test: ## everything that CI runs: lint, tests on both databases, real clients, kill -9
	.ci/test

lint: ## formatting, clippy, licences and sources of dependencies
	.ci/test format clippy deny

clients: ## python-caldav, vdirsyncer and others against the real binary
	.ci/test clients clients-postgres

crash: ## kill -9 under write load, 100 times
	.ci/test crash --kills 100

bench: ## the release binary under load, each answer checked (docs/performance.md)
	.ci/bench

fuzz: ## parser, recurrence and XML against mangled input, 20 minutes each (FUZZ_SECONDS=60 for a short look)
	.ci/fuzz
