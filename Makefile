# The one door: every task of a developer is a target here, and CI calls the same `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV_VERSION := 0.13.9

.PHONY: help demo test soak bench lint fmt types docs clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

$(READY): pyproject.toml uv.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv sync --frozen --quiet
	@touch $(READY)

demo: $(READY) ## run a real physics production, from events to a plot
	@$(BIN)/python examples/zpeak/demo.py

test: $(READY) lint types ## check everything: style, types, imports, tests
	@$(BIN)/pytest

soak: $(READY) ## the same tests with larger numbers; hours
	@PANDA_TEST_ARCHIVE_JOBS=3000000 PANDA_TEST_STORM_UNITS=5000 PANDA_TEST_KILLS=50 PANDA_TEST_LOAD_SECONDS=300 PANDA_TEST_MACHINE_STEPS=5000 PANDA_TEST_RANDOM_DOCUMENTS=1000 PANDA_TEST_ENGINE_DEATHS=1000 $(BIN)/pytest --timeout 86400

bench: $(READY) ## measure speed beside its limits: tables, JSON and pictures in build/bench; a quarter of an hour
	@mkdir -p build/bench
	@$(BIN)/python -m bench --json build/bench/commands.json
	@$(BIN)/panda bench --json build/bench/system.json --pictures build/bench
	@echo "JSON and pictures are in $(CURDIR)/build/bench"

lint: $(READY) ## style and import contracts
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/lint-imports --no-cache > /tmp/panda-imports.$$$$ 2>&1 || { cat /tmp/panda-imports.$$$$; rm -f /tmp/panda-imports.$$$$; exit 1; }; rm -f /tmp/panda-imports.$$$$

fmt: $(READY) ## format the code
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

types: $(READY) ## strict types
	@$(BIN)/mypy

docs: $(READY) ## write the generated pages of docs/reference anew
	@$(BIN)/python -m pandawms.main.docs --write
	@$(BIN)/python -m pandawms.api.openapi --write

clean: ## delete what the targets made, but for the data folders of running systems
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
