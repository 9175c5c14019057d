# One-line verbs. `make` alone lists them.
.DEFAULT_GOAL := help
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)

.PHONY: help
help: ## list the verbs
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: run
run: ui ## everything on this machine, in the foreground; Ctrl-C stops it
	cargo build --quiet
	@"$$(./.ci/target-dir)/debug/paloma" run

.PHONY: test
test: baseline ui ## all tests; starts the Postgres that they need
	cargo build --quiet
ifdef NEXTEST
	cargo nextest run --workspace
else
	cargo test --workspace
endif

.PHONY: ui
ui: ## the web application, into web/dist; quick when nothing changed
	@./.ci/ui

.PHONY: web
web: ## lint, types, unit tests, size and browser tests of the web application
	cargo build --quiet
	@./.ci/web

.PHONY: check
check: ## does it compile
	cargo check --workspace --all-targets

.PHONY: lint
lint: ## format and clippy, warnings denied
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings

.PHONY: e2e
e2e: ## tests through HTTP and the queue
	cargo build --quiet
	cargo nextest run -p e2e --test e2e

.PHONY: crash
crash: baseline ## real processes, killed, and those of two versions at once
	cargo build --quiet
	cargo nextest run -p e2e --test crash

.PHONY: whisper
whisper: ## a worker that transcribes and its models, for the tests of it; takes cmake and a C++ compiler
	@./.ci/whisper

.PHONY: moto
moto: ## a third party's S3, for the tests of files in a bucket; takes Python
	@./.ci/moto

.PHONY: schemathesis
schemathesis: ## ask the api all that openapi.json allows, and more; takes Python
	cargo build --quiet
	@./.ci/schemathesis

.PHONY: oidc-provider
oidc-provider: ## a third party's identity provider, for the tests of log-ins by one; takes Node
	@./.ci/oidc-provider

.PHONY: baseline
baseline: ## the programs of the last version, for the tests of mixed versions; quick when they are there
	@./.ci/baseline

.PHONY: chaos
chaos: ## the queue while everything under it is broken, ten times as long as in `make test`
	cargo build --quiet
	PALOMA_CHAOS=long cargo nextest run -p e2e --test crash --profile chaos chaos::

.PHONY: snapshots
snapshots: ## rewrite openapi.json and tests/snapshots after a wanted change
	cargo build --quiet
	"$$(./.ci/target-dir)/debug/paloma-api" --print-openapi > openapi.json
	UPDATE_SNAPSHOTS=1 cargo nextest run -p e2e --test architecture

.PHONY: demo
demo: ## the main job with 50,000 contacts and four workers, release build
	cargo build --quiet --release
	"$$(./.ci/target-dir)/release/paloma" demo --rows 50000 --workers 4

.PHONY: bench
bench: ## the queue alone, the inbox on a tenth of a million conversations, and the live feed; release build
	cargo build --quiet --release
	for w in enqueue single coalesced drain latency; do "$$(./.ci/target-dir)/release/paloma" bench queue --workload $$w --json || exit 1; done
	"$$(./.ci/target-dir)/release/paloma" bench inbox
	"$$(./.ci/target-dir)/release/paloma" bench sockets

.PHONY: ci
ci: ## what runs before a change lands
	./.ci/run
