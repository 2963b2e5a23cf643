# graylane: `make` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# A stamp for each set of extras, so that `make demo` does not wait for the test tools and a changed pin installs anew.
INPUTS := pyproject.toml requirements/demo.txt requirements/dev.txt propagation/__init__.py
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# What `make pins` has pinned with hashes, and then the checkout, which takes nothing more from an index.
INSTALL = $(BIN)/pip install --quiet --require-hashes -r requirements/$(1).txt && \
  $(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
# What is installed from a checkout is not compiled to bytecode by pip, and may never be (PYTHONDONTWRITEBYTECODE).
COMPILE = $(BIN)/python -m compileall -q propagation meshconfig demo_services

.DEFAULT_GOAL := help
.PHONY: help setup demo test coverage test-pythons fuzz faults lint format bench bench-peers golden fields chart-lint cluster-test interop-test broker-test browser-test console-test console-screenshots soak soak-messages soak-controller soak-previews soak-cluster dist sbom pins clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(VENV)/.dev ## a virtual environment with everything for work on graylane

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'graylane needs Python 3.11 or newer: make PYTHON=python3.12 …' >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(INPUTS) | $(BIN)/python
	@echo 'installing graylane[demo] into $(VENV) …'
	@$(call INSTALL,demo)
	@$(COMPILE)
	@touch $@

$(VENV)/.dev: $(INPUTS) | $(BIN)/python
	@echo 'installing graylane[dev] into $(VENV) …'
	@$(call INSTALL,dev)
	@$(COMPILE)
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo ## four services and a real Envoy: ask, and see who answered
	@$(BIN)/graylane demo

# pytest keeps what it makes of asserts, where it may: making it anew is a tenth of the work of the quick tests.
KEEP := PYTHONDONTWRITEBYTECODE=
HERE_ALONE := -n 3 -q --ignore=tests/cluster --ignore=tests/interop --ignore=tests/broker --ignore=tests/browser --ignore=tests/chart --ignore=tests/console
test: $(VENV)/.dev ## the quick tests, which need no cluster and no other language
	@$(KEEP) $(BIN)/pytest $(HERE_ALONE) -m 'not slow' --hypothesis-profile=quick

coverage: $(VENV)/.dev ## every test that needs no cluster and no other language, and the share of the branches that they take
	@$(BIN)/coverage erase
	@$(KEEP) $(BIN)/coverage run -m pytest $(HERE_ALONE) --durations=25
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

test-pythons: $(VENV)/.dev ## propagation's tests on the other Pythons, 3.11 to 3.14, that this machine has
	@$(BIN)/python tests/other_pythons.py

# SECONDS: for so long in sum, each test for its share. REPLAY: what that test found. By itself: a million inputs.
FUZZ := $(BIN)/python tests/fuzz/fuzz_runner.py
fuzz: $(VENV)/.dev ## the property tests at length: a million inputs, or SECONDS=3600; REPLAY=TEST for what it found
	@$(if $(REPLAY),$(FUZZ) --replay '$(REPLAY)',$(if $(SECONDS),$(FUZZ) --seconds $(SECONDS), \
	  GRAYLANE_FUZZ=1 $(BIN)/pytest -n 2 -q tests -m 'fuzz and not cluster and not interop' --hypothesis-profile=long))

faults: $(VENV)/.dev ## 200 schedules of an API server's faults and 160 runs with kills, and their figures
	@PYTHONPATH=tests/support $(BIN)/python tests/fuzz/fault_schedules.py

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
	  tests/meshconfig/test_offline_plan_golden.py tests/meshconfig/test_telemetry.py tests/meshconfig/test_crds.py \
	  tests/meshconfig/gateway_api/test_golden_gateway.py tests/monitoring \
	  tests/meshconfig/cluster/test_rights.py tests/test_docs.py tests/propagation/test_library_table.py \
	  -k 'golden or bytes or reference or planned or the_table_is or resources_of_the_gateway_api'

# Builds helm from its Go module, once; `make lint` and `make test` take no Go.
chart-lint: $(VENV)/.dev ## helm lint of the chart, and its output against Kubernetes' schema and the table of rights; needs go
	@$(BIN)/pytest -q -n 2 tests/chart

# FILE: Istio's own file of CRDs, or what `kubectl get crd -o yaml` prints.
fields: $(VENV)/.dev ## make the table of Istio's fields anew (CRDS=FILE)
	@$(BIN)/python tests/support/admission_fields.py $(CRDS)

bench: $(VENV)/.dev ## the benchmarks: ratios inside one run
	@PYTHONPATH=tests/support $(BIN)/python benchmarks/hostile_store.py
	@for script in start carry otel_gaps compile lint lanes live_edit console; do echo "== $$script"; PYTHONPATH=tests/support $(BIN)/python benchmarks/$$script.py || exit 1; done

# On a machine with the lab beside the checkout it is started for the tests; elsewhere KUBECONFIG names the cluster.
LAB := ../shared/lab/lab.py
cluster-test: $(VENV)/.dev ## the tests that need a cluster with Istio (KUBECONFIG, GRAYLANE_GATEWAY)
	@if [ -n "$$KUBECONFIG" ] || [ ! -f $(LAB) ]; then $(BIN)/pytest -q tests/cluster -m cluster -s; \
	else PATH="$(CURDIR)/$(BIN):$$PATH" bash tests/cluster/in_lab.sh $(LAB) "$(CURDIR)/$(BIN)"; fi

bench-peers: $(VENV)/.dev ## rollouts of two services by Argo Rollouts, Flagger and graylane; needs the lab, `prometheus`
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash benchmarks/peers_lab.sh $(LAB) "$(CURDIR)/$(BIN)"

interop-test: $(VENV)/.dev ## services in Go (OpenTelemetry) and Java (Sleuth) between ours; needs go, java and mvn
	@$(BIN)/pytest -q tests/interop

broker-test: $(VENV)/.dev ## messages by lane on real brokers, which it starts on loopback: Kafka, RabbitMQ, SQS
	@$(BIN)/pytest -q -n 3 --dist loadfile tests/broker --durations=15

browser-test: $(VENV)/.dev ## a real Chromium in a lane, on a local mesh; needs Debian's chromium
	@$(BIN)/pytest -q tests/browser -s

# As for cluster-test; without a cluster the pages of a local mesh alone are tried.
console-test: $(VENV)/.dev ## the console in Chromium, against the lab under load; needs Debian's chromium, npm
	@if [ -n "$$KUBECONFIG" ] || [ ! -f $(LAB) ]; then $(BIN)/pytest -q tests/console -s; \
	else PATH="$(CURDIR)/$(BIN):$$PATH" bash tests/console/in_lab.sh $(LAB) "$(CURDIR)/$(BIN)"; fi

console-screenshots: ## the same, and its pictures of pages in docs/console
	@GRAYLANE_SCREENSHOTS=1 $(MAKE) console-test

soak: soak-messages soak-cluster ## what CI has no time for: messages by lane and the cluster tests, at length

soak-messages: $(VENV)/.dev ## ten times as many messages as make broker-test sends
	@GRAYLANE_SOAK=1 $(BIN)/pytest -q tests/broker -m soak -s

soak-controller: $(VENV)/.dev ## what Git says, by Flux and as Argo CD does it, and a controller killed 20 times; needs half an hour and the lab
	@GRAYLANE_SOAK=1 PATH="$(CURDIR)/$(BIN):$$PATH" bash tests/cluster/in_lab.sh $(LAB) "$(CURDIR)/$(BIN)" -k 'test_controller or test_gitops'

soak-previews: $(VENV)/.dev ## 20 preview lanes at once on 10 services under load, with a controller that is killed; needs the lab
	@GRAYLANE_SOAK=1 PATH="$(CURDIR)/$(BIN):$$PATH" bash tests/cluster/in_lab.sh $(LAB) "$(CURDIR)/$(BIN)" -k test_previews

soak-cluster: ## the cluster tests with more users, requests, kills and random specs; needs an hour
	@GRAYLANE_SOAK=1 $(MAKE) cluster-test

# Built twice: the same source gives the same bytes, so that anybody can check a release against its tag.
BUILD = SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m build --no-isolation . >build.log 2>&1
dist: $(VENV)/.dev ## the wheel and the source distribution, built and checked, in dist
	@rm -rf dist
	@for folder in dist dist/again; do $(BUILD) -o $$folder || { tail -20 build.log; exit 1; }; done
	@for file in dist/graylane-*; do cmp $$file dist/again/$${file#dist/} || exit 1; done
	@rm -r build.log dist/again
	@$(BIN)/twine check --strict dist/*

# The wheel as users have it, without pip, in an environment of its own.
LICENCES := Apache;BSD;MIT;ISC;MPL;Mozilla Public;Python Software Foundation;PSF;Public Domain;Unlicense
SHIPPED := .cache/shipped
SHIPPED_INSTALL = $(BIN)/pip --python $(SHIPPED)/bin/python install --quiet
sbom: dist ## all that graylane[demo] installs, as CycloneDX in dist, and whether each licence is an allowed one
	@rm -rf $(SHIPPED) && $(BIN)/python -m venv --without-pip $(SHIPPED)
	@$(SHIPPED_INSTALL) --require-hashes -r requirements/demo.txt && $(SHIPPED_INSTALL) --no-deps dist/graylane-*.whl
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --validate \
	  --output-file $$(echo dist/graylane-*.whl | sed 's/-py3.*/.cdx.json/') $(SHIPPED)
	@$(BIN)/pip-licenses --python $(SHIPPED)/bin/python --from mixed --summary --partial-match --allow-only '$(LICENCES)'

# The other files are parts of dev.txt. `make pins UPGRADE=1` takes the newest versions; without it those that are pinned stay.
PINS = $(BIN)/uv pip compile -q --universal --python-version 3.11 --no-annotate --generate-hashes \
  --custom-compile-command 'make pins' pyproject.toml -o requirements
pins: $(VENV)/.dev ## compile the files of requirements, which pin what is installed, with hashes
	@$(PINS)/dev.txt --extra dev $(if $(UPGRADE),--upgrade)
	@$(PINS)/demo.txt --extra demo --extra build -c requirements/dev.txt
	@$(PINS)/build.txt --extra build -c requirements/dev.txt
	@$(PINS)/image.txt --extra console -c requirements/dev.txt
	@$(PINS)/demo-image.txt --extra services -c requirements/dev.txt

clean: ## remove what make made
	rm -rf $(VENV) .cache dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
