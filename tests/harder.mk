# What the tests do for seconds, for as long as one likes: see docs/test-plan.md.

FUZZ_SECONDS ?= 300
EXAMPLES ?= 200
KILLS ?= 1000
STORE ?= sqlite

.PHONY: fuzz
fuzz: $(VENV)/.dev ## Vendor parsers under atheris for FUZZ_SECONDS=300, then the HTTP API under schemathesis (EXAMPLES=200).
	$(BIN)/python tests/adapters/fuzz_parsers.py --seconds $(FUZZ_SECONDS) --seed $$(date +%s)
	SCHEMATHESIS_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/http/test_schemathesis.py

.PHONY: kill
kill: $(VENV)/.dev ## Kill processes that fetch and store, KILLS=1000 times (STORE=sqlite, ministack or dynalite).
	$(BIN)/python tests/e2e/killed.py --store $(STORE) --kills $(KILLS)
	$(BIN)/python tests/adapters/sqlite_processes.py kill --kills $(KILLS)

.PHONY: mutation-score
mutation-score: $(VENV)/.dev ## Make the faults that rules make of the domain and the service; SAMPLE=400 of them, or all.
	$(BIN)/python -m tests.mutants.score --jobs $(JOBS) $(if $(SAMPLE),--sample $(SAMPLE)) --report .build/mutation-score.md

LOWEST := .build/lowest
LOWEST_TOOLS := blockbuster exchange_calendars freezegun hypothesis jsonschema mypy pyright pytest pytest-asyncio pytest-timeout pytest-xdist tiingo

.PHONY: lowest
lowest: $(VENV)/.dev ## Run the tests of the front doors and the domain with the lowest versions that pyproject.toml allows.
	@mkdir -p .build
	$(BIN)/uv pip compile -q --resolution lowest-direct --python-version 3.11 --no-header --all-extras pyproject.toml -o $(LOWEST).txt
	$(BIN)/uv venv -q --clear --python $(BIN)/python $(LOWEST)
	$(BIN)/uv pip install -q --python $(LOWEST)/bin/python -r $(LOWEST).txt
	$(BIN)/uv pip install -q --python $(LOWEST)/bin/python -c $(LOWEST).txt $(LOWEST_TOOLS)
	$(BIN)/uv pip install -q --python $(LOWEST)/bin/python --no-deps -e .
	$(LOWEST)/bin/python -m pytest -n 2 tests/domain tests/library tests/cli tests/http --ignore tests/http/test_schemathesis.py
