# The two commands: `make demo` and `make test`. Each does its whole set-up: a virtual environment, pinned
# dependencies, the package itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-slow test-all check fuzz bench bench-peers bench-accuracy bench-scale bench-transport bench-wire bench-throttle bench-cases clean

demo: $(READY)
	$(BIN)/squall run demo

# Two tiers. `test` is quick: the pure core, contracts, sockets, and a handful of whole runs. `test-slow` is the rest:
# whole runs, several processes, Redis, browsers, public clients. Tests mostly wait, so two files at a time; a file
# stays with one worker.
test: check
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow"

test-slow: $(READY)
	$(BIN)/pytest -n 2 --dist loadfile -m slow

test-all: test test-slow

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# 100,000 random server byte streams against whole sessions; about ten minutes.
fuzz: $(READY)
	$(BIN)/python -m tests.transport.fuzzing $(FUZZ)

# An hour and a half in all; each part tells what it will do, keeps its table in benchmarks/results, and takes --quick.
bench: bench-peers bench-accuracy bench-scale bench-transport bench-wire bench-throttle bench-cases

bench-peers: $(READY)
	$(BIN)/python -m benchmarks.peers $(BENCH)

bench-accuracy: $(READY)
	$(BIN)/python -m benchmarks.accuracy --peers $(BENCH)

bench-scale: $(READY)
	$(BIN)/python -m benchmarks.scale $(BENCH)

bench-transport: $(READY)
	$(BIN)/python -m benchmarks.transport

bench-wire: $(READY)
	$(BIN)/python -m benchmarks.wire

bench-throttle: $(READY)
	$(BIN)/python -m benchmarks.throttle $(BENCH)

bench-cases: $(READY)
	$(BIN)/python -m benchmarks.cases $(BENCH)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "squall needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "squall needs Python's venv module; on Debian: apt-get install python3-venv"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .cache build dist
