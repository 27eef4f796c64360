# Needs Python 3.11 or later and make. Where uv is on the path, it installs in a fraction of the time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL ?= lite
TEST_JOBS ?= 2
DEMO_OUTPUT ?= demo-output
DEMO_WAIT ?= on a terminal
LIBRARIES := mashup_worker/api/studio/page/libraries.sha256
GPU_MINUTES ?= 9
GPU_OUTPUT ?= gpu-results
UV := $(shell command -v uv 2>/dev/null)
INSTALL := $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check)

.PHONY: help install demo test test-slow lint format samples bench gpu clean

help:
	@echo "make demo      install, separate the sample songs, mix two, write HTML reports, and repeat it"
	@echo "               through the job queue, with its own servers; on a terminal, keep the studio open"
	@echo "               until Ctrl-C (make demo DEMO_WAIT= does not)"
	@echo "make test      install the test dependencies and run the tests, all but the slow ones"
	@echo "make test-slow run the slow tests"
	@echo "make lint      check style and types"
	@echo "make format    format the code"
	@echo "make samples   render the sample songs again"
	@echo "make bench     measure quality, speed and memory (slow)"
	@echo "make gpu       test and measure an NVIDIA GPU, in ten minutes"
	@echo "make clean     remove everything that make created"

install: $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/python -m samples.demo --model $(MODEL) --output-dir $(DEMO_OUTPUT)
	MASHUP_MODEL=$(MODEL) $(BIN)/mashup up --data $(DEMO_OUTPUT)/service --processes 2 \
		--run 'exec $(BIN)/python -m samples.queue_demo --model $(MODEL) --output-dir $(DEMO_OUTPUT) \
			$(if $(DEMO_WAIT),,--no-wait)'

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder -m "not slow"

test-slow: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder -m slow

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

samples: $(VENV)/.installed
	$(BIN)/python -m samples.render

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.lite
	$(BIN)/python -m benchmarks.first_stem
	$(BIN)/python -m benchmarks.bulk
	$(BIN)/python -m benchmarks.memory --hour
	$(BIN)/python -m benchmarks.analysis
	$(BIN)/python -m benchmarks.analysis_speed
	$(BIN)/python -m benchmarks.stretching
	$(BIN)/python -m benchmarks.mashups
	$(BIN)/python -m benchmarks.studio
	$(BIN)/python -m benchmarks.player
	$(BIN)/mashup bench all --against demucs
	$(BIN)/python -m benchmarks.performance_page

gpu: $(VENV)/.installed-dev
	@$(BIN)/python -m benchmarks.gpu --minutes $(GPU_MINUTES) --output $(GPU_OUTPUT); status=$$?; \
		[ $$status -le 1 ] || exit $$status; \
		cp $(GPU_OUTPUT)/*.json benchmarks/results/ && $(BIN)/python -m benchmarks.performance_page; \
		exit $$status

clean:
	rm -rf $(VENV) $(DEMO_OUTPUT) $(GPU_OUTPUT) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		mashup_worker/api/studio/page/libraries

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; name it: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "This Python can't make virtual environments: on Debian and Ubuntu, install python3-venv" >&2; \
		exit 1; }

$(VENV)/.installed: pyproject.toml constraints.txt $(LIBRARIES) | $(VENV)/bin/python
	@echo "Installing into $(VENV): a minute or two, most of it torch ..."
	$(INSTALL) -c constraints.txt -e '.[local]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) -c constraints.txt -e '.[local,dev]'
	@touch $@
