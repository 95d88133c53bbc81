# Every target sets up what it needs: Python 3.11 or later and make are enough.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
PEERS := $(VENV)/.peers
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# More than two cores, since many a test waits.
TEST_WORKERS ?= 6

# The tests start the program some hundred times: it is compiled once, whatever the shell says.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help

.PHONY: help
help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The lock names all there is, so pip has nothing to resolve: left to itself it may take a newer
# release of an extra (`coverage[toml]`) than the locked one, and refuse it for its missing hash.
$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/python
	$(PIP_INSTALL) --require-hashes --no-deps --requirement requirements.lock
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEVELOPMENT): requirements-dev.lock $(RUNTIME)
	$(PIP_INSTALL) --require-hashes --no-deps --requirement requirements-dev.lock
	@touch $@

.PHONY: run
run: $(RUNTIME) ## Start the whole system on the embedded default
	$(BIN)/myapp

.PHONY: dev
dev: $(DEVELOPMENT) ## The same, started again at every change of the code
	$(BIN)/watchfiles --filter python "$(BIN)/myapp" myapp

.PHONY: worker
worker: $(RUNTIME) ## A worker alone
	$(BIN)/myapp --role=worker

.PHONY: scheduler
scheduler: $(RUNTIME) ## A scheduler alone
	$(BIN)/myapp --role=scheduler

.PHONY: migrate
migrate: $(RUNTIME) ## Apply the migrations
	$(BIN)/myapp migrate

.PHONY: test
test: $(DEVELOPMENT) ## The tests, on the embedded default
	$(BIN)/pytest --numprocesses=$(TEST_WORKERS) --dist=loadgroup

.PHONY: coverage
coverage: $(DEVELOPMENT) ## Lines and branches that the tests reach: at least 90 %; page by page in htmlcov/
	$(BIN)/pytest --numprocesses=$(TEST_WORKERS) --dist=loadgroup --timeout=240 \
		--cov --cov-report=term --cov-report=html

# Whatever touches a database; the rest does not differ.
DATABASE_TESTS := tests/database tests/doctor tests/middleware tests/modules tests/outbox tests/test_access.py tests/test_app.py

.PHONY: test-databases
test-databases: $(DEVELOPMENT) ## Those that touch a database, on this machine's PostgreSQL and MariaDB
	MYAPP_TEST_DATABASES=postgres,mysql $(BIN)/pytest --numprocesses=$(TEST_WORKERS) --dist=loadgroup $(DATABASE_TESTS)

# Whatever Redis does for us. The default is the Valkey that comes along.
REDIS_TESTS := tests/modules tests/outbox tests/queue tests/sse tests/test_bus.py tests/test_rate_limits.py

.PHONY: test-redis
test-redis: $(DEVELOPMENT) ## Those that need Redis, on servers of this machine's redis-server, and the same databases
	MYAPP_TEST_REDIS=redis-server MYAPP_TEST_DATABASES=postgres,mysql \
		$(BIN)/pytest --numprocesses=$(TEST_WORKERS) --dist=loadgroup $(REDIS_TESTS)

.PHONY: check
check: $(DEVELOPMENT) ## Format, lint, types, import contracts, the Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/hadolint Dockerfile

.PHONY: format
format: $(DEVELOPMENT) ## Format the code and mend what the linter can
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .

# protoc takes the files of one folder for those of another: the generated code imports itself there.
PROTO := myapp/grpc/proto/myapp/account/v1
GENERATED := myapp/grpc/generated

.PHONY: proto
proto: $(DEVELOPMENT) ## Write the code of the gRPC messages anew from account.proto
	$(BIN)/buf lint
	PATH="$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -I $(GENERATED)=$(PROTO) \
		--python_out=. --pyi_out=. --grpclib_python_out=. $(PROTO)/account.proto

.PHONY: pictures
pictures: $(DEVELOPMENT) ## Draw the pictures of the dashboard anew, for the tests and the README
	$(BIN)/pytest --numprocesses=$(TEST_WORKERS) --snapshot-update tests/tui -k pictures
	$(BIN)/python -m tests.support.pictures

.PHONY: build
build: $(DEVELOPMENT) ## The wheel, in dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

# The peers go into .venv too: they agree with what is there on every version.
$(PEERS): benchmarks/requirements.lock $(DEVELOPMENT)
	$(PIP_INSTALL) --require-hashes --no-deps --requirement benchmarks/requirements.lock
	@touch $@

.PHONY: bench
bench: $(PEERS) ## The measurements in benchmarks/
	$(BIN)/python -m benchmarks.me
	$(BIN)/python -m benchmarks.connection
	$(BIN)/python -m benchmarks.users
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.jobs
	$(BIN)/python -m benchmarks.notifications
	$(BIN)/python -m benchmarks.storm
	$(BIN)/python -m benchmarks.streams
	$(BIN)/python -m benchmarks.start
	$(BIN)/python -m benchmarks.summary

.PHONY: bench-summary
bench-summary: $(PEERS) ## The table in the READMEs, from the results that are there
	$(BIN)/python -m benchmarks.summary

.PHONY: bench-jobs
bench-jobs: $(DEVELOPMENT) ## Jobs a second, against bare SAQ
	$(BIN)/python -m benchmarks.jobs

.PHONY: bench-growth
bench-growth: $(PEERS) ## Two processes against one, lists among a million users, events to many streams
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.users

.PHONY: bench-me
bench-me: $(PEERS) ## GET /auth/me beside FastAPI, Litestar and a bare Quart route
	$(BIN)/python -m benchmarks.me

.PHONY: bench-notifications
bench-notifications: $(DEVELOPMENT) ## Notifications accepted a second, beside the database's commits
	$(BIN)/python -m benchmarks.notifications

.PHONY: bench-start
bench-start: $(DEVELOPMENT) ## How soon the program is there, and what it takes when idle
	$(BIN)/python -m benchmarks.start

.PHONY: bench-streams
bench-streams: $(DEVELOPMENT) ## What ten thousand event streams take, and how soon events reach them
	$(BIN)/python -m benchmarks.streams

.PHONY: drill
drill: $(DEVELOPMENT) ## Kill, pause and starve every part under load for four minutes, and count what was lost
	$(BIN)/python -m benchmarks.drill

.PHONY: soak
soak: $(DEVELOPMENT) ## Twenty minutes of mixed load: memory, descriptors, keys and rows have to level off
	$(BIN)/python -m benchmarks.soak

# Apart from what Python needs, and from other projects of Node.js.
EMULATOR := $(VENV)/emulator
FIREBASE := $(EMULATOR)/node_modules/.bin/firebase

.PHONY: test-emulator
test-emulator: $(DEVELOPMENT) ## Sign-in by tokens of Firebase's own Auth emulator; needs npm, and 300 MB
	@command -v npm >/dev/null || { echo "Skipped: there is no npm here (Debian: apt-get install npm)"; exit; }; \
	[ -x $(FIREBASE) ] || { mkdir -p $(EMULATOR) && \
		npm install --prefix $(EMULATOR) --no-audit --no-fund --loglevel=error firebase-tools; } || \
		{ echo "Skipped: npm cannot get firebase-tools here"; exit; }; \
	MYAPP_TEST_FIREBASE_TOOLS=$(CURDIR)/$(FIREBASE) $(BIN)/pytest --timeout=300 tests/emulator

# Apart from $(VENV): what it needs itself is no part of the program.
AUDIT := $(VENV)/audit

$(AUDIT)/bin/pip-audit: | $(BIN)/python
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check pip-audit

.PHONY: audit
audit: $(AUDIT)/bin/pip-audit ## Known weaknesses of the locked dependencies, as a report
	@$(AUDIT)/bin/pip-audit --version
	@$(AUDIT)/bin/pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict \
		--progress-spinner off --timeout 20 >$(AUDIT)/report 2>&1; status=$$?; \
	if [ $$status -ne 0 ] && ! grep -q "^Found .* vulnerabilit" $(AUDIT)/report; then \
		tail -n 1 $(AUDIT)/report; \
		echo "No report: the advisories cannot be had from here."; exit 1; \
	fi; cat $(AUDIT)/report; exit $$status

COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --upgrade \
	--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make lock"

.PHONY: lock
lock: $(DEVELOPMENT) ## Resolve the newest dependencies that pyproject.toml allows
	$(COMPILE) --group build --output-file requirements.lock
	$(COMPILE) --group dev --constraint requirements.lock --output-file requirements-dev.lock
	$(COMPILE) --group bench --constraint requirements-dev.lock --output-file benchmarks/requirements.lock
