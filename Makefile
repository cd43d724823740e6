# Two commands do everything on a fresh machine: `make run` and `make test`.

PYTHON ?= python3
PORT ?= $(or $(OHLCACHE_PORT),8000)
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help

# Scripts and the editable install of an environment name the folder it was made in. In a copied or moved checkout they
# lead to the original, so the stamp holds that folder, and an environment from another one is made anew.
made_elsewhere = $(shell test -f $(1) && test "$$(cat $(1))" != "$(CURDIR)" && echo FORCE)

include tests/aws/aws.mk
include tests/simulation/sim.mk
include tests/harder.mk
include benchmarks/bench.mk
include web/web.mk

.PHONY: help
help: ## Show what there is to do.
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

.PHONY: FORCE
FORCE:

$(VENV)/.run: requirements/run.lock pyproject.toml $(call made_elsewhere,$(VENV)/.run)
	$(if $(call made_elsewhere,$@),rm -rf $(VENV))
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --require-hashes -r requirements/run.lock
	$(BIN)/python -m pip install -q --require-hashes -r requirements/build.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@echo '$(CURDIR)' > $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.run
	$(BIN)/python -m pip install -q --require-hashes -r requirements/dev.lock
	@touch $@

.PHONY: install
install: $(VENV)/.dev ## Install everything for development.

.PHONY: run
run: $(VENV)/.run web-if-possible ## Serve the page and the API on http://127.0.0.1:8000 (PORT=8000).
	@OHLCACHE_PORT=$(PORT) $(BIN)/ohlcache serve

.PHONY: test
test: install aws-engines test-static web-test test-python web-browsers web-e2e ## Run every test.

.PHONY: test-static
test-static: $(VENV)/.dev ## Formatting, lint, types, import contract.
	$(BIN)/ruff format --check src tests tools benchmarks
	$(BIN)/ruff check src tests tools benchmarks
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python tools/build_calendar.py --check
	$(BIN)/python tools/render_readme.py --check

.PHONY: test-python
test-python: $(VENV)/.dev ## Every Python test, with the coverage gates.
	rm -f .coverage .coverage.*
	@mkdir -p .build
	$(BIN)/coverage run -m pytest -n 2 --dist loadfile -m "not alone"
	$(BIN)/coverage run -m pytest -m alone
	$(BIN)/coverage combine -q
	$(BIN)/coverage json -q -o .build/coverage.json
	$(BIN)/coverage report | tail -n 40
	$(BIN)/python tools/check_coverage.py .build/coverage.json

.PHONY: lock
lock: ## Pin every dependency anew.
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q pyproject.toml -o requirements/run.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q requirements/build.in -o requirements/build.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q --all-extras --group dev -c requirements/run.lock pyproject.toml -o requirements/dev.lock

.PHONY: wheel
wheel: $(VENV)/.dev web-build ## Build the wheel, the page in it, into dist/.
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

.PHONY: clean
clean: ## Remove what was installed and built here.
	rm -rf $(VENV) .build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
