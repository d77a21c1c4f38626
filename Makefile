# What a person runs. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONF ?= {}
DAG ?=
ARGS ?=
SEED ?=
PYTEST_WORKERS ?= 2
export PYTHONPATH := tools
# The tests start hundreds of processes: each would compile all that it imports if the caller's environment forbids bytecode.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest
# Handed on through the environment: a quote in CONF is no business of the shell's.
export DAG CONF ARGS

.DEFAULT_GOAL := help
.PHONY: help install demo up airflow down run check test test-fast test-scale test-compose lint types layers deps sql-lint docs audit-cached audit sbom release unit coverage mutants bench lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/.installed: requirements.txt pyproject.toml simulator/pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else f"Python 3.11 or newer is needed, {sys.executable} is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12 ...")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv support: install your system's python3-venv package"; exit 1; }
	@echo "Installing into $(VENV) (a minute or two, once) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . --editable simulator
	@touch $@

install: $(VENV)/.installed ## create .venv and install everything into it

demo: install ## run the main job end to end on a simulator, then stop everything
	@$(BIN)/python -m devstack demo

up: install ## start Postgres, the simulator and Airflow with its UI, and leave them running; SEED=1 pulls the simulator's customers
	@$(BIN)/python -m devstack up $(if $(filter-out 0,$(SEED)),--seed)

airflow: install ## run Airflow's own command line on the stack that is up: make airflow ARGS="dags list"
	@$(BIN)/python -m devstack airflow "$$ARGS"

down: install ## stop what `make up` started
	@$(BIN)/python -m devstack down

run: install ## run one DAG once through the scheduler: make run DAG=syrve_customers CONF='{}'
	@$(BIN)/python -m devstack run --dag "$$DAG" --conf "$$CONF"

check: install lint types layers deps sql-lint docs audit-cached ## every check without tests

test: check unit ## every check and every test

test-fast: install ## the quick tests: no Airflow, no demo, no long simulation
	$(PYTEST) --numprocesses $(PYTEST_WORKERS) -m "not e2e and not slow and not seeded" $(PYTEST_ARGS)

test-scale: install ## Airflow on Celery, with two schedulers and in pods; lost workers, disk, network; upgrades: root, redis-server, 40 minutes
	SYRVE_TEST_SCALE=1 $(BIN)/pytest --numprocesses 0 -s tests/scale tests/warehouse/test_managed_postgres.py $(PYTEST_ARGS)

test-compose: install ## the whole stack of docker-compose.yml in containers: root, podman, buildah, debootstrap; CONTRIBUTING.md says more
	SYRVE_TEST_COMPOSE=1 $(BIN)/pytest --numprocesses 0 -s tests/containers $(PYTEST_ARGS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

layers: install
	$(BIN)/lint-imports --no-cache

deps: install
	$(BIN)/deptry .

sql-lint: install
	$(BIN)/sqlfluff lint --disable-progress-bar --processes 0 sql

audit-cached: install
	@$(BIN)/python -m supplychain audit

audit: install ## ask a vulnerability database about every release of the lock
	@$(BIN)/python -m supplychain audit --limit-seconds 600

sbom: install ## write a CycloneDX bill of materials to dist/sbom.cdx.json
	@$(BIN)/python -m supplychain sbom dist/sbom.cdx.json

release: install ## build wheels, sdists, bill of materials, docs and notes of this commit into dist/release, twice; REHEARSE=1 before there is a version
	@$(BIN)/python -m supplychain release dist/release $(if $(filter-out 0,$(REHEARSE)),--rehearse)

docs: install ## build the docs site into build/docs; every link must resolve
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs build/docs

unit: install
	$(PYTEST) --numprocesses $(PYTEST_WORKERS) $(PYTEST_ARGS)

coverage: install ## branch coverage of the code that moves money, by its own tests
	$(BIN)/pytest --numprocesses $(PYTEST_WORKERS) --cov --cov-report=term --cov-fail-under=95 tests/wallet tests/release $(PYTEST_ARGS)

mutants: install ## mutation testing of the money rules that need no database: some minutes
	rm -rf build/mutants
	mkdir -p build/mutants
	cp -r plugins simulator tests tools/mutation/money_rules.toml build/mutants/
	cd build/mutants && export PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONPATH=plugins:simulator:tests && \
		cosmic-ray init money_rules.toml session.sqlite && cr-filter-operators session.sqlite money_rules.toml && \
		cosmic-ray baseline money_rules.toml && cosmic-ray exec money_rules.toml session.sqlite && cr-report session.sqlite

bench: install ## the benchmarks behind the README's figures: all, or ONLY="merge claim"
	@$(BIN)/python -m benchmarks $(ONLY)

lock: ## write requirements.txt anew from requirements.in (needs the registry)
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" $(LOCK_ARGS) requirements.in --output-file requirements.txt

clean: ## remove .venv and everything the stack keeps
	@[ ! -e .stack ] || [ ! -x $(BIN)/python ] || $(BIN)/python -m devstack clean
	rm -rf $(VENV) .stack
