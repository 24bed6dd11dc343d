# make run     start on config.toml (the first time: makes .venv and installs)
# make test    install what the tests need, and run every test
# make simulate  thousands of shows in virtual time (COUNT=20000, FROM=2000000)
# make fuzz    ten million mutated OSC packets through a running bridge (COUNT=1000000 SEED=7),
#              then mutated HTTP requests and WebSocket frames (HTTP=2000 examples)
# make voices  what liblo and npm's osc read of 100,000 packets, beside what we read (COUNT=1000000 SEED=7)
# make crashes  kill the daemon under load at a hundred moments, and look at what is left (COUNT=1000 FROM=7)
# make soak    ten minutes of guests, moves and reloads: nothing may grow or be wrong (SECONDS=3600 SEED=7)
# make bench   measure beside a bare floor and beside others; writes docs/benchmarks.md (ARGS='--runs 1 --only W1')
# make attack  a fader's latency while HTTP or HTTPS is attacked, beside the same without (ARGS=10: seconds each)
# make bench-midi  how late MIDI is, beside OSC, over JACK (ARGS='--seconds 10')
# make check   format, lint, types, known vulnerabilities, and the tests unless they have just passed on this tree
# make lock    writes requirements-dev.lock anew: what is tested with, by version and hash (docs/security.md)
#
# PYTHON=… picks the Python for a new .venv, CONFIG=… another configuration, ARGS=… goes to stagebridge or to pytest.

BIN := .venv/bin
CONFIG ?= config.toml
ARGS ?=

# A .venv whose Python has gone (an upgraded system, a moved checkout) is made anew.
ifneq ($(shell $(BIN)/python -c 'print(1)' 2>/dev/null),1)
VENV_GONE := gone
endif

# Names and contents of everything that a test can depend on, and whether a missing peer counts.
TREE = { find bridge web pages tests bench scripts docs .ci config.toml pyproject.toml requirements-dev.lock hatch_build.py README.md CHANGELOG.md Makefile -type f \
	! -path '*/__pycache__/*' ! -path '*/node_modules/*' 2>/dev/null | LC_ALL=C sort | xargs cksum; echo "$$CI"; } | cksum

.PHONY: help run test check simulate fuzz voices crashes soak bench attack bench-midi format lock clean gone

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

.venv/.ready-run: pyproject.toml scripts/setup.sh $(VENV_GONE)
	@sh scripts/setup.sh

.venv/.ready-test: pyproject.toml scripts/setup.sh $(VENV_GONE)
	@sh scripts/setup.sh test

gone:

run: .venv/.ready-run
	@exec $(BIN)/stagebridge run $(CONFIG) $(ARGS)

test: .venv/.ready-test
	@sh scripts/test-peers.sh
	@$(MAKE) --silent tests/node_modules/.ready
	@tree=$$($(TREE)); \
	rm -f .venv/.tested; \
	if command -v node >/dev/null; then \
		echo 'node --test tests/js'; node --test tests/js/*.test.mjs; \
	elif [ -n "$$CI" ]; then \
		echo 'node is not installed: sudo apt install --no-install-recommends nodejs' >&2; false; \
	else \
		echo 'node is not installed: the tests in tests/js are skipped' >&2; \
	fi && \
	if [ -n "$(ARGS)" ]; then $(BIN)/python -m pytest $(ARGS); \
	else sh scripts/test.sh && printf '%s\n' "$$tree" > .venv/.tested; fi

tests/node_modules/.ready: tests/package.json
	@if command -v npm >/dev/null; then \
		echo 'installing test peers from npm' >&2; \
		cd tests && npm install --no-package-lock --omit=optional --no-audit --no-fund --silent && touch node_modules/.ready; \
	else echo 'npm is not installed: tests with its packages are skipped' >&2; fi

check: .venv/.ready-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@$(BIN)/python scripts/audit.py
	@if [ "$$(cat .venv/.tested 2>/dev/null)" = "$$($(TREE))" ]; then \
		echo 'tests: passed on exactly this tree'; \
	else \
		$(MAKE) --no-print-directory test; \
	fi

simulate: .venv/.ready-test
	SIMULATE=$(or $(COUNT),20000) SIMULATE_FROM=$(or $(FROM),2000000) $(BIN)/python -m pytest -q tests/test_convergence.py $(ARGS)

fuzz: .venv/.ready-test
	FUZZ=$(or $(COUNT),10000000) FUZZ_SEED=$(or $(SEED),$(shell date +%s)) $(BIN)/python -m pytest -q -s tests/test_osc_fuzz.py -k mutated $(ARGS)
	FUZZ_HTTP=$(or $(HTTP),2000) $(BIN)/python -m pytest -q -s tests/test_http_fuzz.py $(ARGS)

voices: .venv/.ready-test
	@$(MAKE) --silent tests/node_modules/.ready
	VOICES=$(or $(COUNT),100000) VOICES_SEED=$(or $(SEED),2) $(BIN)/python -m pytest -q -s tests/test_osc_voices.py $(ARGS)

crashes: .venv/.ready-test
	CRASHES=$(or $(COUNT),100) CRASHES_FROM=$(or $(FROM),1) $(BIN)/python -m pytest -q -s tests/test_crash.py $(ARGS)

soak: .venv/.ready-test
	SOAK=$(or $(SECONDS),600) SOAK_SEED=$(or $(SEED),1) $(BIN)/python -m pytest -q -s tests/test_soak.py $(ARGS)

.venv/.ready-bench: pyproject.toml bench/package.json .venv/.ready-test
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[test,bench]'
	if command -v npm >/dev/null; then cd bench && npm install --no-audit --no-fund --silent; \
	else echo 'npm is not installed: the relay of npm osc is left out' >&2; fi
	touch $@

bench: .venv/.ready-bench
	@$(BIN)/python -m bench $(ARGS)

attack: .venv/.ready-test
	@$(BIN)/python -m bench.attack $(ARGS)

bench-midi: .venv/.ready-test
	@$(BIN)/python -m bench.midi $(ARGS)

format: .venv/.ready-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: .venv/.ready-test
	$(BIN)/python -m pip install --disable-pip-version-check --quiet 'uv>=0.7'
	$(BIN)/python -m uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--extra test --extra midi --extra tls --no-emit-index-url --no-annotate --custom-compile-command 'make lock' \
		--output-file requirements-dev.lock pyproject.toml

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
