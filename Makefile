# Lienzo: `make` lists what there is. Needs Python 3.11+ with venv, and GNU make.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV := .venv
PY := $(VENV)/bin/python
# A user's pip settings may name an index; they must not send packages elsewhere than into .venv.
INSTALL := env -u PIP_TARGET -u PIP_PREFIX PIP_USER=0 $(PY) -m pip install --quiet \
	--disable-pip-version-check --require-hashes --no-deps
# More than cores: the tests of faults wait most of their time.
WORKERS ?= 4
ARGS ?=

.PHONY: help run restart run-cluster stop test test-big check docs bench shell fmt manage clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

run: $(VENV)/run.stamp ## Start everything on this machine; PORT, HOST, DATABASE_URL ... are read
	@$(PY) -m embedded run

run-cluster: $(VENV)/run.stamp ## Start services and two hosts on this machine
	@$(PY) -m embedded.cluster run $(ARGS)

restart: $(VENV)/run.stamp ## Restart every process that runs without failing a request
	@$(PY) -m embedded restart $(ARGS)

stop: $(VENV)/run.stamp ## Stop what `make run` or `make run-cluster` started
	@$(PY) -m embedded stop

# The suite starts hundreds of processes; each would compile the whole product anew.
test test-big: export PYTHONDONTWRITEBYTECODE :=

test: $(VENV)/dev.stamp ## Run the whole suite with services of its own
	@$(PY) -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder -m "not big" tests $(ARGS)

test-big: $(VENV)/dev.stamp ## Run volumes and long fault campaigns
	@$(PY) -m pytest -m big tests $(ARGS)

check: $(VENV)/dev.stamp ## Lint, types, import contracts, templates, containers, migrations, catalog, documentation
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy .
	@PYTHONPATH=. $(VENV)/bin/lint-imports
	@$(VENV)/bin/djlint templates --lint --quiet
	@$(VENV)/bin/hadolint docker/Dockerfile
	@$(VENV)/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker/compose.yaml
	@$(PY) manage.py check
	@DATABASE_POOL_SIZE=0 $(PY) manage.py makemigrations --check --dry-run
	@$(PY) manage.py check_catalog
	@$(MAKE) --no-print-directory docs

docs: $(VENV)/dev.stamp ## Build the documentation's site in var/site, warnings being errors
	@$(VENV)/bin/sphinx-build -q -W --keep-going -d var/site.cache docs var/site

bench: $(VENV)/dev.stamp ## Measure added latency, throughput, CPU and memory
	@$(PY) -m bench $(ARGS)

shell: $(VENV)/run.stamp ## Open a Django shell on the running services
	@$(PY) manage.py shell

manage: $(VENV)/run.stamp ## Run a management command: make manage ARGS="top_up ORG 10"
	@$(PY) manage.py $(ARGS)

fmt: $(VENV)/dev.stamp ## Format the code and apply safe fixes
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .

clean: $(VENV)/run.stamp ## Remove all data of the state folder (stop first)
	@$(PY) -m embedded clean

$(VENV)/bin/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Lienzo needs Python 3.11 or newer. Install it, or name it: make run PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi
	@echo "Creating $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

# The stamps hold no time but a copy of what was installed, so that a new checkout of the same
# requirements installs nothing again.
$(VENV)/run.stamp: requirements/run.txt | $(VENV)/bin/python
	@if ! cmp -s $< $@ && ! cmp -s requirements/dev.txt $(VENV)/dev.stamp; then \
		echo "Installing packages (the first time this downloads about 250 MB) ..."; \
		$(PY) embedded/requirements.py $< > $(VENV)/run.txt && $(INSTALL) -r $(VENV)/run.txt; \
	fi
	@cp $< $@

$(VENV)/dev.stamp: requirements/dev.txt | $(VENV)/bin/python
	@if ! cmp -s $< $@; then \
		echo "Installing packages for development ..."; \
		$(PY) embedded/requirements.py $< > $(VENV)/dev.txt && $(INSTALL) -r $(VENV)/dev.txt; \
	fi
	@cp $< $@
