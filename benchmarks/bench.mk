# The benchmarks, in an environment of their own: it has the project and what it is measured against. Included by the
# root Makefile.

BENCH_VENV := .build/bench-venv

.PHONY: bench
bench: $(BENCH_VENV)/.installed ## Measure everything and print one table (BENCH="store_hits scale" measures some).
	$(BENCH_VENV)/bin/python -m benchmarks $(BENCH)

.PHONY: bench-check
bench-check: $(BENCH_VENV)/.installed ## Measure, and fail where a ratio is over 20 % worse than its baseline.
	$(BENCH_VENV)/bin/python -m benchmarks --check $(BENCH)

.PHONY: bench-lock
bench-lock: ## Pin what the benchmarks need anew.
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q \
		--extra dynamodb --extra lambda -c requirements/dev.lock pyproject.toml benchmarks/requirements.in \
		-o benchmarks/requirements.lock

$(BENCH_VENV)/.installed: benchmarks/requirements.lock requirements/build.lock pyproject.toml \
		$(call made_elsewhere,$(BENCH_VENV)/.installed)
	$(if $(call made_elsewhere,$@),rm -rf $(BENCH_VENV))
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install -q --require-hashes -r requirements/build.lock
	$(BENCH_VENV)/bin/python -m pip install -q --require-hashes -r benchmarks/requirements.lock
	$(BENCH_VENV)/bin/python -m pip install -q --no-deps --no-build-isolation -e .
	@echo '$(CURDIR)' > $@
