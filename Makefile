# Every target sets up what it needs; any of them may be run first.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
COMPLAINT ?= stabbing under my heel, first steps in the morning are the worst

.PHONY: help setup demo quick test lint types check format docs torture bench clean
.DEFAULT_GOAL := help

help: ## list these targets
	@grep -E '^[a-z]+:.*## ' Makefile | awk -F ':.*## ' '{printf "make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/installed-dev ## install everything that tests need into .venv

demo: $(VENV)/installed ## build the index of the sample archive and answer a complaint
	@echo "== Building the index of data/archive/ (the first time, the model is exported: half a minute to some minutes)"
	$(BIN)/qa-search build data/archive/ --index index/
	@echo "== Asking it: $(COMPLAINT)"
	$(BIN)/qa-search query --index index/ "$(COMPLAINT)"
	@echo "== Next: . $(BIN)/activate, then qa-search query, qa-search shell, qa-search help"

quick: $(VENV)/installed-dev ## lint, and the tests that need no model, browser, database or process: about a minute
	$(BIN)/ruff check --quiet .
	$(BIN)/pytest --numprocesses auto -m "not (model or browser or postgres or ray or process or slow)"

test: $(VENV)/installed-dev ## all tests
	$(BIN)/pytest --numprocesses auto --dist loadfile

lint: $(VENV)/installed-dev ## what ruff finds
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev ## what mypy finds
	$(BIN)/mypy

check: lint types test ## lint, types and all tests

format: $(VENV)/installed-dev ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

docs: $(VENV)/installed-dev ## write the pages that are made from the code and from benchmarks/results
	$(BIN)/python docs/help.py
	$(BIN)/python docs/man.py
	$(BIN)/python docs/python_api.py
	$(BIN)/python docs/imports.py
	$(BIN)/python docs/counts.py
	$(BIN)/python docs/scaling.py

# Hours; writes benchmarks/results/reliability.json.
torture: $(VENV)/installed-dev ## every promise of docs/reliability.md at full length
	$(BIN)/pytest tests/reliability --torture

# make demo TORCH=cpu: torch without CUDA, which Linux else installs with it (macOS and Windows do not).
TORCH ?=
TORCH_CPU := https://download.pytorch.org/whl/cpu

$(VENV)/bin/python:
	@echo "== Making the virtual environment $(VENV)"
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "== Installing qa_search and the default model: 3 GB of download and 5.5 GB of disk on Linux; some 400 MB and 1.7 GB elsewhere, or with TORCH=cpu"
	$(if $(filter cpu,$(TORCH)),$(BIN)/pip install --disable-pip-version-check -c constraints.txt torch --index-url $(TORCH_CPU))
	$(BIN)/pip install --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# The peers get environments of their own, with the same torch and sentence-transformers as ours.
PEERS := txtai chromadb
bench: $(VENV)/installed-bench $(PEERS:%=$(VENV)/peers/%/installed) ## speed beside other programs
	$(BIN)/python -m benchmarks.speed --peers $(VENV)/peers

$(VENV)/installed-bench: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $@

$(VENV)/peers/%/installed: $(VENV)/installed
	$(PYTHON) -m venv $(VENV)/peers/$*
	$(VENV)/peers/$*/bin/pip install --quiet $(shell grep ^torch== constraints.txt)
	$(VENV)/peers/$*/bin/pip install --quiet $(shell grep -E '^(torch|sentence-transformers|faiss-cpu)==' constraints.txt) $*
	touch $@

clean: ## remove the environment and all caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
