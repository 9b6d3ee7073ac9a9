# `make help` lists every target. Each target sets up what it needs; nothing is asked of you
# but Python 3.11. CI calls the same targets as a person.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# PyTorch's CPU builds are a tenth of the size; used without an NVIDIA GPU where this answers.
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
ES_PORT ?= 9200
S3_PORT ?= 9000
NODES ?= 1
BACKEND ?= embedded
# Tests in so many processes, each with its own servers; 0: in this one, every test by its name.
TEST_WORKERS ?= 2
# The page is built with the node and npm of the virtual environment.
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix search-front
FRONT_SOURCES := $(shell find search-front -path search-front/node_modules -prune -o -path search-front/dist -prune -o -type f -print 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help setup front demo serve proxy ingest reindex eval test test-front test-docker test-kill lint format native up-native down-native up down logs bench profile bench-pipeline bench-models bench-gpu bench-index bench-proxy bench-ingest bench-thumbnails bench-page front-types front-pictures constraints clean

help: ## List every target
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-17s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- set-up ---

setup: ## Make or refresh the virtual environment (every target does this itself)
	@test -n "$(PYTHON)" || { echo "Boxseek needs Python 3.11 and found no python3 at all. Install it (Debian 12: apt install python3.11-venv)."; exit 1; }
	@"$(PYTHON)" infra/setup/make_venv.py --venv $(VENV) --torch-cpu-index $(TORCH_CPU_INDEX)

search-front/node_modules/.made: search-front/package.json search-front/package-lock.json | setup
	@echo "set-up: packages of the page"
	@$(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

search-front/dist/.made: search-front/node_modules/.made $(FRONT_SOURCES)
	@echo "set-up: building the page"
	@$(NPM) run --silent build
	@touch $@

front: setup search-front/dist/.made ## Build the web page

# --- use ---

demo: setup front ## Index pictures and search them in the browser (IMAGES=folder, BACKEND=servers)
ifeq ($(BACKEND),servers)
	@$(MAKE) --no-print-directory up-native
endif
	@$(BIN)/boxseek demo $(if $(IMAGES),--images "$(IMAGES)")

serve: setup front ## Serve what is indexed, index nothing
	@$(BIN)/boxseek serve

proxy: setup ## Serve originals and thumbnails alone
	@$(BIN)/boxseek proxy

ingest: setup ## Index an archive: make ingest SRC=folder|s3://bucket/prefix|list.csv
	@test -n "$(SRC)" || { echo "Say what to index: make ingest SRC=/path/to/pictures"; exit 2; }
	@$(BIN)/boxseek ingest "$(SRC)" $(ARGS)

reindex: setup ## Make the index anew with other models while it serves: make reindex ARGS="--embedder resnet50"
	@$(BIN)/boxseek reindex $(ARGS)

eval: setup ## Measure what is found: make eval DATA=labelled-set ARGS="--html report.html"
	@test -n "$(DATA)" || { echo "Say what to measure on: make eval DATA=/labelled/pictures (docs/evaluation.md has the forms)"; exit 2; }
	@$(BIN)/boxseek eval "$(DATA)" $(ARGS)

# --- check ---

test: setup front test-front ## Run every test that this machine can run (says what is skipped and why)
	@$(BIN)/python -m pytest --numprocesses $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-front: setup search-front/dist/.made ## Run the page's unit tests and type check
	@$(NPM) run --silent check
	@$(NPM) run --silent test
	@$(NPM) run --silent size

test-docker: setup front ## Run the tests with servers in containers
	@BOXSEEK_TEST_SERVERS=docker $(BIN)/python -m pytest $(ARGS)

test-kill: setup ## Kill a backfill 30 times on each pair of backends and compare the outcome
	@BOXSEEK_TEST_KILLS=30 $(BIN)/python -m pytest tests/integration/ingest/test_kill.py $(ARGS)

lint: setup ## Lint, format check, types, import layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/lint-imports

format: setup ## Format the code and mend what lint can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# --- servers ---

native: setup ## Assemble Elasticsearch and MinIO without Docker (Java 17, Maven, Go)
	@$(BIN)/python infra/native/native.py build

up-native: setup ## Start them and write their settings to .env (NODES=3, ES_PORT, S3_PORT)
	@$(BIN)/python infra/native/native.py up --nodes $(NODES) --elasticsearch-port $(ES_PORT) --s3-port $(S3_PORT)

down-native: setup ## Stop them and take the settings back
	@$(BIN)/python infra/native/native.py down

up: setup ## Build and start everything in containers, with keys; settings go to .env
	@$(BIN)/python infra/compose.py up

down: setup ## Stop the containers and take the settings back
	@$(BIN)/python infra/compose.py down

logs: setup ## Follow the containers' logs
	@$(BIN)/python infra/compose.py logs

# --- measure ---

bench: setup ## Speed, latency and growth in one run, as JSON and tables (ARGS="--quick --only SECTION")
	@PYTHONPATH=tests $(BIN)/python tests/bench/bench_all.py $(ARGS)

profile: setup ## Flame graphs of a backfill and of serving, in artifacts/
	@mkdir -p artifacts
	@for kind in backfill serving; do PYTHONPATH=tests $(BIN)/py-spy record --threads --rate 25 --output artifacts/profile-$$kind.svg -- $(BIN)/python tests/bench/profile_work.py $$kind $(ARGS) || exit 1; done

bench-search: setup ## Search latency by part, against one bare query
	@PYTHONPATH=tests $(BIN)/python tests/bench/bench_search.py $(ARGS)

bench-pipeline: setup ## Indexing against its models alone and against the sequential way
	@PYTHONPATH=tests $(BIN)/python tests/bench/bench_pipeline.py $(ARGS)

bench-models: setup ## Every runtime and precision of detector and embedder (ARGS="--help")
	@PYTHONPATH=tests $(BIN)/python tests/bench/bench_models.py $(ARGS)

bench-gpu: setup ## The pipeline on an NVIDIA GPU: batch sizes, images/s, how busy it is
	@PYTHONPATH=tests $(BIN)/python tests/bench/bench_gpu.py $(ARGS)

bench-index: setup ## Index backends: speed, recall, size (ARGS="--help")
	@PYTHONPATH=tests $(BIN)/python tests/bench/bench_index.py $(ARGS)

bench-proxy: setup ## Originals and thumbnails through the proxy
	@PYTHONPATH=tests $(BIN)/python tests/bench/bench_proxy.py $(ARGS)

bench-thumbnails: setup ## Thumbnails against full decode and resize
	@PYTHONPATH=tests $(BIN)/python tests/bench/bench_thumbnails.py $(ARGS)

bench-ingest: setup ## Backfill: memory and reconcile of a large archive
	@PYTHONPATH=tests $(BIN)/python tests/bench/bench_ingest.py $(ARGS)

bench-page: setup front ## The page in a real Chromium: paint, script, layout shift, search (ARGS="--help")
	@PYTHONPATH=tests $(BIN)/python tests/bench/bench_page.py $(ARGS)

front-types: setup search-front/node_modules/.made ## Generate the page's API types from the OpenAPI document
	@$(BIN)/python -m embedding_pipeline.api.openapi | $(NPM) run --silent types -- -

front-pictures: setup front ## Make the README's pictures again (needs Chromium)
	@PYTHONPATH=tests $(BIN)/python tests/e2e/front/make_readme_pictures.py

# --- upkeep ---

constraints: setup ## Resolve every dependency anew into infra/constraints.txt
	@$(BIN)/python infra/setup/make_constraints.py

clean: ## Remove what set-up made (data/ stays)
	rm -rf $(VENV) search-front/node_modules search-front/dist infra/native/build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
