# make scan              scan the packaged sample: a filmed mannequin and its fake
# make scan VIDEO=path   scan a video of yours
# make test              run the tests, two files at a time; WORKERS=8 for more
# make check             lint, format, types, layers
# make format            put the code in shape
#
# Each builds what it needs in .venv first; that takes minutes once, and nothing afterwards until pyproject.toml
# changes. PYTHON=/path/to/python chooses the interpreter.

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
SAMPLE := forensics/samples/mannequin_real.mp4 forensics/samples/mannequin_fake.mp4

# Taken as it was typed: a path may hold spaces, quotes and dollar signs.
override VIDEO := $(value VIDEO)
export VIDEO

.PHONY: help scan test check format
.DELETE_ON_ERROR:

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

scan: .venv/runtime.stamp
	@if [ -n "$$VIDEO" ]; then $(BIN)/fakedetect scan -- "$$VIDEO"; else $(BIN)/fakedetect scan -- $(SAMPLE); fi

test: .venv/dev.stamp
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --cov --cov-report=term

# All four run, so that one call tells all that is wrong.
check: .venv/dev.stamp
	@failed=0; \
	$(BIN)/ruff check . || failed=1; \
	$(BIN)/ruff format --check . || failed=1; \
	$(BIN)/mypy || failed=1; \
	$(BIN)/lint-imports || failed=1; \
	exit $$failed

format: .venv/dev.stamp
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

# A stamp is touched when everything before it went well. What an interrupted build left behind is of unknown worth:
# as long as .venv/unfinished lies there, the next build starts from an empty folder.
.venv/runtime.stamp: pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "danceproof needs Python 3.11 or newer, and $(PYTHON) is not; name one: make scan PYTHON=/path/to/python3.11" >&2; \
		exit 1; }
	@echo "building the environment in .venv; the first time this takes some minutes"
	@if [ -e .venv/unfinished ]; then rm -rf .venv; fi
	@mkdir -p .venv && touch .venv/unfinished
	@"$(PYTHON)" -m venv .venv
	@$(PIP) install --editable .
	@rm .venv/unfinished
	@touch $@

.venv/dev.stamp: .venv/runtime.stamp
	@echo "adding the tools for development to .venv"
	@touch .venv/unfinished
	@$(PIP) install --editable '.[dev]'
	@rm .venv/unfinished
	@touch $@
