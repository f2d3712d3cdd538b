# Two commands matter to a newcomer: `make demo` and `make test`. Both set up what they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header

.PHONY: demo up test check faults limits sequences mutants bench pictures lock sbom clean
.DEFAULT_GOAL := demo

$(VENV)/runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info < (3, 11) and sys.exit("Plixo needs Python 3.11 or newer; set PYTHON to one")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Setting up .venv from requirements.lock (once; a minute or two) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev: $(VENV)/runtime requirements-dev.lock
	@echo "Adding the tools for tests and checks from requirements-dev.lock ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(VENV)/runtime  ## Play the whole story on embedded parts and check it
	@$(BIN)/plixo demo

up: $(VENV)/runtime  ## Start the same parts and leave them running
	@$(BIN)/plixo up

test: $(VENV)/dev  ## Run the whole suite
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup

check: $(VENV)/dev  ## Lint, types, import rules, sizes
	@$(BIN)/python tests/checks/run.py

mutants: $(VENV)/dev  ## Change the rules of plixo/domain in every small way; at most one change in ten may go unnoticed
	@$(BIN)/python tests/checks/mutants.py

bench: $(VENV)/dev  ## Measure the product against the barest workflow of the same shape; BENCH="open --json" and the like
	@$(BIN)/python -m benchmarks $(BENCH)

faults: $(VENV)/dev  ## Play a seed's faults and check what became of every request (SEED=n, FAULTS=long, JSON=1)
	@$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED)) $(if $(filter long,$(FAULTS)),--long) $(if $(JSON),--json)

limits: $(VENV)/dev  ## Meet those of Temporal's limits that take the machine for themselves, one test after the other
	@$(BIN)/python -m pytest -m flood tests/workflows

sequences: $(VENV)/dev  ## Play 10,000 random sequences in memory and 200 on the real workflow (SEED=n, SEQUENCES="--engine 500")
	@$(BIN)/python -m tests.sequences $(if $(SEED),--seed $(SEED)) $(SEQUENCES)

pictures: $(VENV)/dev  ## Remake docs/img from the demo (needs Chromium)
	@$(BIN)/python -m demo.pictures

lock: $(VENV)/dev  ## Resolve pyproject.toml anew into the two locks
	$(UV_COMPILE) --extra build pyproject.toml -o requirements.lock
	$(UV_COMPILE) --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

sbom: $(VENV)/runtime  ## Write what is installed as a CycloneDX document, sbom.json
	@$(BIN)/python tests/checks/sbom.py requirements.lock > sbom.json

clean:  ## Remove what was set up; the data folder stays
	rm -rf $(VENV) .mypy_cache .ruff_cache mutants .pytest_cache .hypothesis
