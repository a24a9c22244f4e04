# One command each; every one of them installs what it needs into .venv first.
#   make PYTHON=/path/to/python3.12 demo    to choose the Python

SHELL := /bin/bash
.DEFAULT_GOAL := help
export PYTHON
export PYTHONUNBUFFERED := 1

bin := .venv/bin
# Two workers: what a small machine has. Tests marked serial share one of them.
pytest := $(bin)/pytest -n 2 --dist loadgroup

.PHONY: help demo picture test check static format bench bench-large bench-soak docs dashboards lock clean install install-test tools

help:
	@echo "make install      install into .venv, and nothing else"
	@echo "make demo         install, and watch a fictional firm's processes"
	@echo "make test         install, and run every check and every test"
	@echo "make check        the inner loop: format, lint, types, import contract, unit tests"
	@echo "make format       format the code"
	@echo "make bench        the benchmarks at 100,000 and 1,000,000 events"
	@echo "make bench-large  the benchmarks at 10,000,000 events"
	@echo "make bench-soak   half of the peak for half an hour"
	@echo "make picture      remake the README's picture of the demo"
	@echo "make docs         rewrite the reference pages of settings, metrics and KPIs"
	@echo "make dashboards   rewrite the Grafana dashboards"
	@echo "make lock         remake the lock files from pyproject.toml"
	@echo "make clean        remove .venv and everything built"

install:
	@.ci/install

install-test:
	@.ci/install test

tools:
	@.ci/tools

demo: install
	$(bin)/throughline demo

picture: install
	$(bin)/throughline demo --exit --picture docs/demo.svg

# Every step runs, so that all that is wrong comes at once.
static: install-test
	@failed=0; \
	for step in "ruff format --check ." "ruff check ." "basedpyright"; do \
		echo "$$step"; $(bin)/$$step || failed=1; \
	done; \
	exit $$failed

check: static
	$(pytest) tests/unit

test: tools install-test
	@$(MAKE) --no-print-directory static || failed=1; \
	$(pytest) || exit $$?; \
	[ -z "$$failed" ] || { echo "The tests passed; format, lint or types did not: see above." >&2; exit 1; }

format: install-test
	$(bin)/ruff format .
	$(bin)/ruff check --fix .

bench: install-test
	$(bin)/python -m bench

bench-large: install-test
	$(bin)/python -m bench --large

bench-soak: install-test
	$(bin)/python -m bench.soak

docs: install-test
	$(bin)/python -m tests.docs.pages

dashboards: install-test
	$(bin)/python -m grafana.build

lock:
	@.ci/lock "$$(.ci/install --python)"

clean:
	rm -rf .venv build dist .cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
