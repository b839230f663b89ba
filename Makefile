# One-word commands. They install what they need: Python packages from requirements.lock (hashed) into .venv,
# and, when run as root on Debian, the few system packages that tests use.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
JOBS   ?= 2
# An earlier revision that shares a database with this one in `make torture`.
BESIDE ?= d21de31
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help setup system demo run test check format lint types contracts drills bench torture corpus docs lock clean

help:  ## these words
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.installed  ## install everything into .venv

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) scripts/enough_python.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

system:  ## system packages for the tests (Debian, as root; elsewhere it only says what is missing)
	sh scripts/system-packages.sh

demo: setup  ## break a practice production and follow the incident in the browser
	$(BIN)/tocsin demo

run: setup  ## serve the example runbook on http://127.0.0.1:8080
	$(BIN)/tocsin serve

test: system setup  ## every test
	$(BIN)/pytest -n $(JOBS) --dist loadgroup

format: setup  ## rewrite the sources in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

contracts: setup
	$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

check: lint types contracts test  ## what must be green before a commit

drills: system setup  ## every practice scenario and its twin, from the alert to the verified recovery
	$(BIN)/tocsin drill run all --auto --jobs $(JOBS) --keep $(VENV)/drills

bench: setup  ## measure; each figure beside its yardstick and its target
	$(BIN)/python -m bench

torture: drills  ## the drills; 100,000 incidents of made-up bad days; then servers killed, frozen and cut off under load
	PYTHONPATH=tests/fixtures:. $(BIN)/python tests/simulation/torture.py
	$(BIN)/python -m bench.killing
	$(BIN)/python -m bench.killing --seconds 30 --beside $(BESIDE)
	$(BIN)/python -m bench.killing --sqlite

CORPUS ?= ../shared/corpus

corpus: setup  ## measure the reader against documents read by hand: make corpus CORPUS=folder
	$(BIN)/python scripts/corpus.py $(CORPUS)

docs: setup  ## renew the generated parts of docs/
	$(BIN)/python scripts/docs.py

lock:  ## renew requirements.lock (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
