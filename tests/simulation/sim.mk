# The simulation of a fleet, see docs/simulation.md.

SEED ?=
SEEDS ?= 0:2000
STEPS ?=
MINUTES ?= 30
JOBS ?= 2

.PHONY: sim
sim: $(VENV)/.dev ## Simulate a fleet: many seeds, or one (SEED=68 STEPS=14).
	$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED) --trace,--seeds $(SEEDS) --jobs $(JOBS)) $(if $(STEPS),--steps $(STEPS))

.PHONY: sim-soak
sim-soak: $(VENV)/.dev ## Simulate fresh, long seeds for MINUTES=30.
	$(BIN)/python -m tests.simulation --soak $(MINUTES) --jobs $(JOBS) --first $$(date +%s)

.PHONY: mutants
mutants: $(VENV)/.dev ## Break the code on purpose in many places; each fault must be noticed.
	$(BIN)/python -m tests.mutants --jobs $(JOBS)
