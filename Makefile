# graylane: `make` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A stamp for each set of extras, so that `make demo` does not wait for the test tools and a changed pin installs anew.
INPUTS := pyproject.toml requirements/pins.txt propagation/__init__.py
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# What is installed from a checkout is not compiled to bytecode by pip, and may never be (PYTHONDONTWRITEBYTECODE).
COMPILE = $(BIN)/python -m compileall -q propagation meshconfig demo_services

.DEFAULT_GOAL := help
.PHONY: help setup demo test coverage test-pythons fuzz lint format bench golden cluster-test interop-test dist pins clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(VENV)/.dev ## a virtual environment with everything for work on graylane

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'graylane needs Python 3.11 or newer: make PYTHON=python3.12 …' >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(INPUTS) | $(BIN)/python
	@echo 'installing graylane[demo] into $(VENV) …'
	@$(BIN)/pip install --quiet -c requirements/pins.txt -e '.[demo]'
	@$(COMPILE)
	@touch $@

$(VENV)/.dev: $(INPUTS) | $(BIN)/python
	@echo 'installing graylane[dev] into $(VENV) …'
	@$(BIN)/pip install --quiet -c requirements/pins.txt -e '.[dev]'
	@$(COMPILE)
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo ## four services and a real Envoy: ask, and see who answered
	@$(BIN)/graylane demo

# `make test coverage` runs the tests once, measured. `make test` alone does not measure, which is quicker.
PYTEST := $(BIN)/pytest
ifneq ($(filter coverage,$(MAKECMDGOALS)),)
PYTEST := $(BIN)/coverage erase && $(BIN)/coverage run -m pytest
endif

test: $(VENV)/.dev ## every test that needs no cluster and no other language
	@$(PYTEST) -n 2 -q --ignore=tests/cluster --ignore=tests/interop

coverage: test ## the same, and the share of the product's branches that they take
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

test-pythons: $(VENV)/.dev ## propagation's tests on the other Pythons, 3.11 to 3.14, that this machine has
	@$(BIN)/python tests/other_pythons.py

fuzz: $(VENV)/.dev ## the property tests at length: a million inputs
	@GRAYLANE_FUZZ=1 $(BIN)/pytest -n 2 -q tests -k fuzz

lint: $(VENV)/.dev ## ruff, mypy, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy tests/typing
	@$(BIN)/mypy --config-file tests/mypy.ini tests benchmarks
	@$(BIN)/lint-imports

format: $(VENV)/.dev ## rewrite in the project's format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

golden: $(VENV)/.dev ## rewrite the golden files from what the code does now
	@GRAYLANE_GOLDEN=rewrite $(BIN)/pytest -q tests/meshconfig/test_golden.py tests/meshconfig/test_plan_golden.py \
	  tests/meshconfig/cluster/test_rights.py tests/test_docs.py tests/propagation/test_library_table.py \
	  -k 'golden or bytes or reference or planned or the_table_is'

bench: $(VENV)/.dev ## the benchmarks: ratios inside one run
	@for script in start carry otel_gaps compile lanes live_edit; do echo "== $$script"; $(BIN)/python benchmarks/$$script.py || exit 1; done

# On a machine with the lab beside the checkout it is started for the tests; elsewhere KUBECONFIG names the cluster.
LAB := ../shared/lab/lab.py
cluster-test: $(VENV)/.dev ## the tests that need a cluster with Istio (KUBECONFIG, GRAYLANE_GATEWAY)
	@if [ -n "$$KUBECONFIG" ] || [ ! -f $(LAB) ]; then $(BIN)/pytest -q tests/cluster -m cluster -s; \
	else PATH="$(CURDIR)/$(BIN):$$PATH" sh tests/cluster/in_lab.sh $(LAB) "$(CURDIR)/$(BIN)"; fi

interop-test: $(VENV)/.dev ## services in Go (OpenTelemetry) and Java (Sleuth) between ours; needs go, java and mvn
	@$(BIN)/pytest -q tests/interop

dist: $(VENV)/.dev ## the wheel and the source distribution, built and checked, in dist
	@rm -rf dist
	@$(BIN)/python -m build . >build.log 2>&1 || { tail -20 build.log; exit 1; }
	@rm build.log
	@$(BIN)/twine check --strict dist/*

pins: $(VENV)/.dev ## compile requirements/pins.txt anew
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --no-annotate --no-header --extra dev pyproject.toml -o requirements/pins.new
	@(head -1 requirements/pins.txt; cat requirements/pins.new) > requirements/pins.tmp
	@mv requirements/pins.tmp requirements/pins.txt; rm requirements/pins.new

clean: ## remove what make made
	rm -rf $(VENV) .cache dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
