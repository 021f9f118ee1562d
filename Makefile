# The two commands a fresh clone needs: `make site` and `make test`. Everything is installed into .venv.
#   make site TORCH=cpu    torch's CPU-only build on Linux, instead of 5 GB with CUDA libraries

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH ?= default
INSTALLED := $(VENV)/.installed-$(TORCH)

.PHONY: help site serve test examples lint bench bench-optim constraints clean

help:
	@echo "make site    build the site into site/ (first time: installs, runs every example)"
	@echo "make serve   serve it on http://127.0.0.1:8000, rebuilding on every edit"
	@echo "make test    set up and run the tests"
	@echo "make bench   measure builds and page weight"
	@echo "make bench-optim   time every optimizer beside torch's and other libraries' (three quarters of an hour)"
	@echo "make lint    ruff and mypy"

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "the course needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifeq ($(TORCH),cpu)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --python $(BIN)/python --torch-backend=cpu -c constraints.txt -e ".[docs,test]"
else
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[docs,test]"
endif
	rm -f $(VENV)/.installed-*
	touch $@

site: $(INSTALLED)
	$(BIN)/python -m courseware build

serve: $(INSTALLED)
	$(BIN)/python -m courseware serve

examples: $(INSTALLED)
	$(BIN)/python -m courseware examples

test: $(INSTALLED)
	-$(BIN)/python -m courseware.browser
	$(BIN)/python -m pytest --numprocesses=auto --cov=trainloop tests/trainloop
	$(BIN)/python -m courseware build
	COURSEWARE_WAIT=300 $(BIN)/python -m pytest --numprocesses=auto --dist=loadgroup --durations=30 --ignore=tests/trainloop

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(INSTALLED)
	-$(BIN)/python -m courseware.browser
	$(BIN)/python -m courseware bench

# The numbers go into the page on optimizer speed; `git diff` shows what changed since the last time.
bench-optim: $(INSTALLED)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[bench]"
	$(BIN)/python -m benchmarks.optimizers --record

# Pins for every platform and Python we support, from the ranges in pyproject.toml. Needs uv.
constraints:
	mkdir -p build
	printf 'torch==2.14.1\ntorchvision==0.29.1\n' > build/pins.txt
	uv pip compile --quiet --universal --python-version 3.11 --extra docs --extra test --extra bench \
		--no-annotate --no-header --no-emit-index-url --no-emit-find-links \
		--upgrade --constraint build/pins.txt pyproject.toml --output-file constraints.txt

clean:
	rm -rf build site
