# Strange input, for as long as one likes: see docs/test-plan.md.

FUZZ_SECONDS ?= 300
EXAMPLES ?= 200

.PHONY: fuzz
fuzz: $(VENV)/.dev ## Vendor parsers under atheris for FUZZ_SECONDS=300, then the HTTP API under schemathesis (EXAMPLES=200).
	$(BIN)/python tests/adapters/fuzz_parsers.py --seconds $(FUZZ_SECONDS) --seed $$(date +%s)
	SCHEMATHESIS_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/http/test_schemathesis.py
