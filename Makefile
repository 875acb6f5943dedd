# Everything a developer does. Each target does its own set-up.

PYTHON ?= python3
DEV := target/python-dev

.PHONY: test lint fmt bench openapi

## Runs every test: Rust, Python, and the real program with real playbooks.
test:
	$(PYTHON) tests/run.py

## Checks formatting and lints of both languages, and that the documentation builds.
lint: $(DEV)/ready
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	cd shared/runners/ansible/host && $(CURDIR)/$(DEV)/bin/ruff format --check . && $(CURDIR)/$(DEV)/bin/ruff check . \
		&& $(CURDIR)/$(DEV)/bin/mypy

fmt: $(DEV)/ready
	cargo fmt --all
	cd shared/runners/ansible/host && $(CURDIR)/$(DEV)/bin/ruff format .

## Measures; prints a table and writes target/bench.json.
bench:
	cargo build --release -p callboard -p callboard-tests
	target/release/bench

## Renews infra/openapi.json.
openapi:
	cargo run --quiet -p callboard -- openapi > infra/openapi.json

$(DEV)/ready: shared/runners/ansible/requirements.txt shared/runners/ansible/host/requirements-dev.txt
	$(PYTHON) tests/python_dev.py $(DEV)
