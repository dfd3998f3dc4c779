# make run: set up, and run the built-in experiment.   make test: set up, and pass every test.
# make test-servers: what runs on real servers (PostgreSQL, from Debian's package, and those that pip installs).
# make ui: the Dagster and MLflow UIs on what was made.   make bench: measure speed, in under five minutes.
# make audit: what is known to be unsafe in our code (bandit) and in what it needs (pip-audit, which asks an advisory service).
# All install once, into .venv.
PYTHON ?= python3.11
VENV := .venv
LTH := $(VENV)/bin/lth

.PHONY: run test test-servers ui lint bench audit clean

run: $(VENV)/.installed
	@$(LTH) run digits

test: $(VENV)/.installed-dev
	@$(VENV)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-servers: $(VENV)/.installed-servers
	@$(VENV)/bin/python -m pytest -m servers -n 2 --dist loadfile --no-loadscope-reorder

ui: $(VENV)/.installed
	@$(LTH) ui

lint: $(VENV)/.installed-dev
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .

bench: $(VENV)/.installed
	@$(VENV)/bin/python -m benchmarks

audit: $(VENV)/.installed-dev
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check --editable ".[audit]"
	@$(VENV)/bin/python -m bandit -q -c pyproject.toml -r lth_pipeline
	@$(VENV)/bin/python -m lth_pipeline_tests.audited

clean:
	rm -rf $(VENV) *.egg-info .pytest_cache .ruff_cache .hypothesis

$(VENV)/.installed: pyproject.toml
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) is not here; install it, or name another: make run PYTHON=python3.12"; exit 1; }
	@echo "Setting up $(VENV) (once; a minute or two) ..."
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	@echo "Setting up what the tests need (once) ..."
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check --editable ".[dev]"
	@touch $@

$(VENV)/.installed-servers: pyproject.toml $(VENV)/.installed-dev
	@echo "Setting up what the servers need (once) ..."
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check --editable ".[dev,servers]"
	@touch $@
