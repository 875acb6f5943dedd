# Everything a developer does. Each target does its own set-up.

PYTHON ?= python3
DEV := target/python-dev
SAM := target/sam-tools
TOOLS := target/tools
RUFF := shared/runners/ansible/host/pyproject.toml
SCRIPTS := $(wildcard tests/*.py) tests/clients tests/conformance tests/image tests/servers functions/worker

FUZZ_SECONDS ?= 60

.PHONY: test conformance lint fmt fuzz bench openapi emulators image-test sam-test

## Runs every test: Rust, Python, and the real program with real playbooks.
test:
	$(PYTHON) tests/run.py

## Compares with ansible-playbook and ansible-runner: ansible-core's own integration tests, by both. NAMES="tags loops" takes some.
conformance:
	cargo build -p callboard
	$(PYTHON) tests/conformance/run.py $(NAMES)

## Checks formatting and lints of both languages, that the documentation builds, the SAM template and the events.
lint: $(DEV)/ready $(SAM)/ready $(TOOLS)/ready
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	cd shared/runners/ansible/host && $(CURDIR)/$(DEV)/bin/ruff format --check . && $(CURDIR)/$(DEV)/bin/ruff check . \
		&& $(CURDIR)/$(DEV)/bin/mypy
	$(DEV)/bin/ruff format --check --config $(RUFF) $(SCRIPTS) && $(DEV)/bin/ruff check --config $(RUFF) $(SCRIPTS)
	cd tests/conformance && MYPYPATH=.. $(CURDIR)/$(DEV)/bin/mypy --strict --python-version 3.11 *.py
	$(PYTHON) tests/check_house.py
	$(TOOLS)/bin/cargo-machete
	$(TOOLS)/bin/cargo-deny check licenses bans sources
	! cargo tree --package callboard --edges normal --prefix none | grep -E '^(aws|lambda)' \
		| grep -vE '^aws-(sigv4|credential-types|smithy-(async|http|runtime-api|runtime-api-macros|types)) '
	! cargo tree --package callboard-submit --package callboard-query --package callboard-worker --package callboard-caller --package callboard-notify --edges normal \
		--prefix none \
		| grep -E '^(rusqlite|clap) '
	SAM_CLI_TELEMETRY=0 $(SAM)/bin/sam validate --template infra/template.yaml --region us-east-1
	SAM_CLI_TELEMETRY=0 $(SAM)/bin/sam validate --lint --template infra/template.yaml --region us-east-1
	$(SAM)/bin/cfn-lint infra/template.yaml
	$(PYTHON) tests/check_events.py

fmt: $(DEV)/ready
	cargo fmt --all
	cd shared/runners/ansible/host && $(CURDIR)/$(DEV)/bin/ruff format .
	$(DEV)/bin/ruff format --config $(RUFF) $(SCRIPTS)

## Feeds what reads foreign bytes with changed examples, each target for FUZZ_SECONDS; a failure prints its seed and input.
fuzz:
	CALLBOARD_FUZZ_SECONDS=$(FUZZ_SECONDS) cargo test --release -p callboard-tests --test fuzz -- --nocapture

## Measures; prints a table and writes target/bench.json. NAMES="storm lists::sweep" measures some.
bench:
	cargo build --release -p callboard -p callboard-submit -p callboard-query -p callboard-worker -p callboard-caller -p callboard-tests
	$(PYTHON) tests/emulators.py run -- target/release/bench $(NAMES)

## Starts AWS's emulators for tests that are run one by one; prints the variables that lead to them.
emulators:
	$(PYTHON) tests/emulators.py up

## Renews infra/openapi.json.
openapi:
	cargo run --quiet -p callboard -- openapi > infra/openapi.json

$(DEV)/ready: shared/runners/ansible/requirements.txt shared/runners/ansible/host/requirements-dev.txt
	$(PYTHON) tests/python_dev.py $(DEV)

# built without optimisation: they run for seconds
$(TOOLS)/ready: Makefile
	CARGO_PROFILE_DEV_DEBUG=0 cargo install --debug --locked --root $(TOOLS) --target-dir $(TOOLS)/build cargo-machete@0.9.2
	CARGO_PROFILE_DEV_DEBUG=0 cargo install --debug --locked --root $(TOOLS) --target-dir $(TOOLS)/build --no-default-features \
		cargo-deny@0.20.2
	touch $@

$(SAM)/ready: infra/requirements.txt
	$(PYTHON) -m venv --clear $(SAM)
	$(SAM)/bin/python -m pip install --quiet --requirement infra/requirements.txt
	touch $@

## Builds the worker's image and runs jobs with it in Lambda's sandbox. Needs Docker, and root.
image-test: $(SAM)/ready
	$(PYTHON) tests/emulators.py run -- $(SAM)/bin/python tests/image/run.py

## Builds with `sam build` and runs all four functions with `sam local invoke`. Needs Docker.
sam-test: $(SAM)/ready tests/image/requirements.txt
	$(SAM)/bin/python -m pip install --quiet --requirement tests/image/requirements.txt
	PATH="$(CURDIR)/$(SAM)/bin:$$PATH" $(PYTHON) tests/emulators.py run -- $(SAM)/bin/python tests/image/sam_test.py
