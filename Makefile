# What is done in this repository. Needs GNU make, a C compiler, a Rust toolchain and Python 3.11 or
# newer; all else is installed into .venv and target, and PostgreSQL by tests/with-postgres.

.NOTPARALLEL: # every target uses the one .venv and cargo's one target folder
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
CASES ?= 5000
SEEDS ?= 20000
SECONDS_OF_HAMMER ?= 900
# CI must not quietly resolve other versions than the committed ones.
LOCKED := $(if $(CI),--locked)
# PATH's cargo-deny, or one built below target; an old one can be passed over with CARGO_DENY=.
CARGO_DENY := $(or $(shell command -v cargo-deny),target/tools/bin/cargo-deny)

# One interpreter for every build of the bindings: pyo3 is compiled anew whenever it changes.
# For the same reason cargo is told --workspace everywhere: with other crates in view it switches
# other features on, and would compile diesel and arrow once per command.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
export VIRTUAL_ENV := $(CURDIR)/.venv
unexport CONDA_PREFIX PYTHONPATH PYTHONHOME

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: wheel ## build and show the main job [URL=postgresql://...] [DATA=file.csv]
	$(BIN)/python -m pip install --quiet --no-deps --force-reinstall target/wheels/*.whl
	$(BIN)/python python/demo/demo.py $(if $(URL),--url '$(URL)') $(if $(DATA),--data '$(DATA)')

.PHONY: test
test: lint check-free-threaded ## everything that must pass, on SQLite and PostgreSQL
	tests/with-postgres $(MAKE) test-rust test-python

.PHONY: check
check: lint ## what a commit must pass: lint, and the tests with few random cases
	PROPTEST_CASES=8 STRATALOG_SEEDS=100 STRATALOG_HAMMER_SECONDS=20 \
	    tests/with-postgres $(MAKE) test-rust test-python

.PHONY: lint
lint: check-rust check-python docs ## formats, lints, licences, types, stubs, documentation

.PHONY: migrations
migrations: tools ## write migrations/ anew from the table descriptions
	cargo build $(LOCKED) --workspace --example migrations
	$(or $(CARGO_TARGET_DIR),target)/debug/examples/migrations

.PHONY: bench
bench: tools ## measure, beside the engines' own bulk paths
	tests/with-postgres --durable cargo bench $(LOCKED) --bench write --bench look_back

.PHONY: bench-instructions
bench-instructions: .venv/ready ## count the instructions of small operations (needs valgrind)
	cargo bench $(LOCKED) --quiet --bench instructions --no-run
	$(BIN)/python benches/instructions "$$(cargo bench $(LOCKED) --bench instructions --no-run --message-format=json 2>/dev/null \
	    | sed -n 's/.*"name":"instructions".*"executable":"\([^"]*\)".*/\1/p')"

.PHONY: bench-peer
bench-peer: wheel .venv-peer/ready ## measure beside ixmp4, write docs/benchmarks.md [ARGS="--rows 100000"]
	$(BIN)/python -m pip install --quiet --no-deps --force-reinstall target/wheels/*.whl
	cargo bench $(LOCKED) --quiet --bench write --no-run
	tests/with-postgres --durable $(BIN)/python benches/peer $(ARGS)

.PHONY: docs
docs: .venv/ready ## build the pages in site/ and the Rust reference in target/doc/
	RUSTDOCFLAGS='-D warnings' cargo doc $(LOCKED) --workspace --no-deps
	$(BIN)/mkdocs --quiet build --strict

.PHONY: soak
soak: ## all tests, longer [CASES=5000] [SEEDS=20000] [SECONDS_OF_HAMMER=900]
	PROPTEST_CASES=$(CASES) STRATALOG_SEEDS=$(SEEDS) STRATALOG_HAMMER_SECONDS=$(SECONDS_OF_HAMMER) \
	    tests/with-postgres $(MAKE) test-rust test-python

.PHONY: fmt
fmt: .venv/ready ## format the code
	cargo fmt --all
	$(BIN)/ruff check --quiet --fix-only python benches
	$(BIN)/ruff format python benches

.PHONY: clean
clean: ## delete what was built and installed here
	rm -rf target .venv .venv-peer site python/stratalog/*.so
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . \( -name .hypothesis -o -name '.*_cache' \) -prune -exec rm -rf {} +

.PHONY: advisories
advisories: $(CARGO_DENY) ## known vulnerabilities of the dependencies (asks GitHub)
	$(CARGO_DENY) --workspace check advisories

# ---- parts of the above ----

.PHONY: check-rust
check-rust: .venv/ready $(CARGO_DENY)
	cargo fmt --all --check
	$(CARGO_DENY) --workspace check bans licenses sources
	@echo "cargo-deny: advisories are NOT checked here, they need GitHub: make advisories"
	cargo clippy $(LOCKED) --workspace --all-targets -- -D warnings

.PHONY: check-python
check-python: develop
	$(BIN)/ruff check python benches
	$(BIN)/ruff format --check python benches
	cd python && ../$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest --mypy-config-file python/pyproject.toml stratalog

# Whether the bindings compile for a Python without a GIL, of which none has to be here. For such a build pyo3
# leaves its `abi3` feature aside by itself. In a folder of its own: everything that pyo3 touches is built anew.
.PHONY: check-free-threaded
check-free-threaded: tools
	PYO3_CONFIG_FILE=$(CURDIR)/python/free-threaded.txt cargo check $(LOCKED) -p stratalog-python \
	    --target-dir target/free-threaded

.PHONY: test-rust
test-rust: tools
	@if cargo nextest --version >/dev/null 2>&1; then \
	    set -x; tests/with-postgres cargo nextest run $(LOCKED) --workspace && \
	    tests/with-postgres cargo test $(LOCKED) --workspace --doc; \
	else \
	    echo "cargo-nextest is not installed: cargo test does the same, only slower"; \
	    set -x; tests/with-postgres cargo test $(LOCKED) --workspace; \
	fi

.PHONY: test-python
test-python: develop .venv-peer/ready
	tests/with-postgres $(BIN)/pytest -c python/pyproject.toml --numprocesses auto --dist worksteal

# The demo installs the wheel as a user would get it, the tests install the package as it stands in
# python/: whichever ran last owns .venv, and each installs its own first.
.PHONY: wheel
wheel: .venv/ready
	rm -rf target/wheels
	$(BIN)/maturin build $(LOCKED) --release -m python/Cargo.toml -i $(BIN)/python -o target/wheels

.PHONY: develop
develop: .venv/ready
	$(BIN)/maturin develop $(LOCKED) -m python/Cargo.toml

.PHONY: tools
tools:
	@command -v cargo >/dev/null || { \
	    echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }
	@command -v "$${CC:-cc}" >/dev/null || { \
	    echo "A C compiler is missing (Debian, Ubuntu: apt-get install build-essential)" >&2; exit 1; }

.venv/ready: python/requirements-dev.txt | tools
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "Python 3.11 or newer is needed, and '$(PYTHON)' is none. If there is one under another" \
	        "name: make PYTHON=python3.13 ..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	    echo "Python's venv module is missing (Debian, Ubuntu: apt-get install python3-venv)" >&2; \
	    exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# The peers want other versions of what we test with.
.venv-peer/ready: benches/peer/requirements.txt | tools
	$(PYTHON) -m venv .venv-peer
	.venv-peer/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# The .in files say what is wanted, the .txt files which: the newest that fit together.
.PHONY: requirements
requirements: .venv/ready
	$(BIN)/python -m pip install --quiet uv
	for name in python/requirements-dev benches/peer/requirements; do \
	    $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-annotate --upgrade \
	        --custom-compile-command 'make requirements' -o $$name.txt $$name.in || exit 1; \
	done

# Built without optimisation, its build takes a minute and its work still no second.
target/tools/bin/cargo-deny: | tools
	CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=false \
	    cargo install --quiet --locked --root target/tools cargo-deny@0.20.2
