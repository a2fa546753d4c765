# make run   installs and opens the app        make test   installs, lints, checks types, runs all tests
# make tables   repeats the papers' tables into docs/RESULTS.md; goes on where it was broken off
PYTHON ?= python3
PORT ?= 8501
# Of make tables: make tables CLASSIFIER=vgg16 SOURCE=imagenet
SOURCE ?= imagenette
CLASSIFIER ?=
LIMIT ?= 500
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test tables lint types format browser clean

run: $(VENV)/app.installed
	$(BIN)/python -m streamlit run app.py --server.port $(PORT)

test: $(VENV)/dev.installed browser lint types
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

tables: $(VENV)/app.installed
	$(BIN)/python -m experiments.paper_tables "$(SOURCE)" $(if $(CLASSIFIER),--classifier $(CLASSIFIER)) --limit $(LIMIT)

lint: $(VENV)/dev.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.installed
	$(BIN)/mypy

format: $(VENV)/dev.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The tests drive Debian's chromium; elsewhere install chromium by hand and set CHROMIUM to its path.
browser:
	@command -v $${CHROMIUM:-chromium} >/dev/null || { \
	  [ "$$(id -u)" = 0 ] || sudo="sudo"; \
	  $$sudo apt-get update -qq && $$sudo apt-get install -y -qq chromium >/dev/null; }

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/app.installed: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements.txt
	touch $@

$(VENV)/dev.installed: requirements.txt requirements-dev.txt requirements-alone.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements-dev.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --requirement requirements-alone.txt
	touch $(VENV)/app.installed $@

clean:
	rm -rf $(VENV)
