# What can be done here: `make help`. Everything installs into .venv; nothing outside this folder is changed,
# save Debian packages for tests (a browser, skewed clocks) when root runs `make test`.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help up logs test test-long test-agents chaos soak scale fuzz lint format bench bench-batches lock css browser

PYTHON ?= python3
RUN := .venv/bin/python
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --no-input --require-hashes
COMPILE := $(RUN) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header

help: ## Show this list
	@echo "Usage: make TARGET [VARIABLE=value]"
	@grep -hE '^[a-z-]+:.*## ' Makefile | sort | awk -F ':.*## ' '{ printf "  %-11s %s\n", $$1, $$2 }'
	@echo "Variables of up: HOST (127.0.0.1), PORT (8000), DATA_DIR (.data), and those in .env.example"
	@echo "Variable of test: TESTS, for instance TESTS='tests/supervisor -k port'"

up logs: export HOST ?= 127.0.0.1
up logs: export PORT ?= 8000
up logs: export DATA_DIR ?= .data

up: .venv/.installed ## Run the gateway: PostgreSQL, Valkey, web, worker, beat, drain. Ctrl-C ends it
	@exec env GATEWAY_END_WITH_PARENT=1 $(RUN) manage.py up

logs: ## Follow the logs of a running gateway
	@exec tail -n 20 -F "$$DATA_DIR"/logs/*.log

test: .venv/.installed-dev browser ## Run every test but the long ones, with all that they need
	@exec $(RUN) -m pytest $(or $(TESTS),-n 2 --dist loadfile -m "not long")

test-long: .venv/.installed-dev browser ## Run those that kill and freeze a gateway or ask it for everything, and small benchmarks
	@exec $(RUN) -m pytest $(or $(TESTS),-n 2 --dist loadfile -m long)

test-agents: .venv/.installed-dev .agents/.installed ## Run Claude Code and Codex against the gateway (650 MB from npm)
	@exec env AGENT_TESTS=1 $(RUN) -m pytest -m agents $(or $(TESTS),tests/agents)

chaos: .venv/.installed-dev ## Kill, freeze and cut everything under load, many times (CHAOS_SEED, CHAOS_ROUNDS)
	@exec env CHAOS_TESTS=1 CHAOS_SEED=$(CHAOS_SEED) CHAOS_ROUNDS=$(CHAOS_ROUNDS) $(RUN) -m pytest -q -s -m chaos $(or $(TESTS),tests/chaos/test_chaos.py tests/outages)

soak: .venv/.installed-dev ## Fifty streams for SOAK_MINUTES (30), with faults: nothing may grow
	@exec env CHAOS_TESTS=1 SOAK_MINUTES=$(SOAK_MINUTES) $(RUN) -m pytest -q -s -m chaos tests/chaos/test_soak.py

fuzz: .venv/.installed-dev ## Ask every operation of the API for right and wrong things, many times (FUZZ_EXAMPLES, FUZZ_SEED)
	@exec env FUZZ_EXAMPLES=$(or $(FUZZ_EXAMPLES),300) FUZZ_SEED=$(or $(FUZZ_SEED),$$(date +%s)) $(RUN) -m pytest -q tests/admin_api/test_any_request.py

lint: .venv/.installed-dev ## Check style, types, layers, and that no migration is missing
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	.venv/bin/lint-imports
	@export GATEWAY_LOG_LEVEL=ERROR DATA_DIR=/nonexistent DATABASE_URL=postgresql:///none?host=/nonexistent REDIS_URL=unix:///nonexistent; \
	for name in SECRET_KEY GATEWAY_KEY_PEPPER GATEWAY_DATA_ENCRYPTION_KEYS; do \
		export $$name="$$($(RUN) -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())')"; \
	done; \
	$(RUN) -W ignore manage.py makemigrations --check --dry-run

format: .venv/.installed-dev ## Bring the code into its style
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

bench: .venv/.installed-dev ## Measure what the gateway adds to a request
	@exec $(RUN) -m benchmarks $(BENCH)

bench-batches: .venv/.installed-dev ## Measure a batch of ten thousand messages, and what it leaves for others
	@exec $(RUN) -m benchmarks.batches $(BENCH)

scale: .venv/.installed-dev ## Measure drain and pages over 50 million usage events (SCALE_ROWS; an hour and 43 GB of disk)
	@exec $(RUN) -m benchmarks.scale $(SCALE)

lock: .venv/.installed-dev ## Write requirements.txt and requirements-dev.txt anew from pyproject.toml
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) pyproject.toml --group test --group lint --group build -c requirements.txt -o requirements-dev.txt

css: .venv/.installed-dev ## Build the dashboard's style sheet
	.venv/bin/tailwindcss -i dashboard/styles/app.css -o dashboard/static/css/app.css --minify

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed. Is it under another name? make PYTHON=python3.12 ..." >&2; exit 1; }
	@rm -rf .venv
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "Python cannot make virtual environments here: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

.venv/.installed: requirements.txt .venv/.made
	@echo "Installing the gateway into .venv (the first time takes a minute)"
	@$(PIP) -r requirements.txt
	@touch $@

.venv/.installed-dev: requirements-dev.txt .venv/.installed
	@echo "Installing what tests and checks need into .venv"
	@$(PIP) -r requirements-dev.txt
	@touch $@

.agents/.installed: tests/agents/package-lock.json tests/agents/package.json
	@echo "Installing the agents into .agents"
	@mkdir -p .agents
	@cp tests/agents/package.json tests/agents/package-lock.json tests/agents/.npmrc .agents/
	@npm ci --prefix .agents --ignore-scripts --no-audit --silent
	@touch $@

browser: # only what is missing: a Node.js from elsewhere and Debian's npm exclude each other
	@missing=; \
	command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null \
		|| missing="$$missing chromium-headless-shell"; \
	command -v npm >/dev/null || missing="$$missing nodejs npm"; \
	test -d /usr/share/fonts/truetype/dejavu || missing="$$missing fonts-dejavu-core"; \
	if test "$$(id -u)" = 0; then \
		ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || missing="$$missing libfaketime"; \
	fi; \
	if test -z "$$missing"; then exit 0; fi; \
	if test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $$missing; \
	else \
		echo "The browser and TypeScript tests need: apt-get install$$missing" >&2; exit 1; \
	fi
