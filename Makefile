# Everything is installed into .venv; nothing else on the machine is touched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL_VENV := .venv-model
MODEL ?= sentence-transformers/all-MiniLM-L6-v2
MODEL_OUT ?= .lockstep/models/$(notdir $(MODEL))
ARCHITECTURE ?= all
ARGS ?=

# Modules are compiled when they are first imported: that is quicker than compiling all that is installed.
unexport PYTHONDONTWRITEBYTECODE
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-compile -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help up test check format bench relevance crash model package openapi lock clean

help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(VENV)/laptop.stamp ## Install what a laptop needs, then run everything until Ctrl-C (ARGS="--port 9000")
	@$(BIN)/lockstep up $(ARGS)

test: $(VENV)/test.stamp ## Run all tests (ARGS="-k name")
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

check: $(VENV)/test.stamp ## Lint, check types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/test.stamp ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/test.stamp ## Measure speed and memory, as ratios against baselines of the same run
	$(BIN)/python -m bench $(ARGS)

relevance: $(VENV)/test.stamp ## Measure how well it finds, on sets that others made (ARGS="--sets bioasq,liveqa")
	$(BIN)/python -m relevance $(ARGS)

crash: $(VENV)/test.stamp ## Kill and break every operation at each of its steps, and check what is left (ARGS="--short")
	$(BIN)/python -m crash $(ARGS)

model: $(MODEL_VENV)/export.stamp ## Export a sentence-transformers model to ONNX (MODEL=id-or-folder MODEL_OUT=folder)
	$(MODEL_VENV)/bin/python -m layers.model.export --model $(MODEL) --out $(MODEL_OUT) $(ARGS)

package: $(VENV)/test.stamp ## Build what is deployed into dist/ (ARCHITECTURE=x86_64|arm64|all)
	$(BIN)/python -m infra.package --arch $(ARCHITECTURE) $(ARGS)

openapi: $(VENV)/test.stamp ## Write the OpenAPI document anew
	$(BIN)/python -m infra.openapi

lock: ## Write constraints.txt anew from what is installed in .venv
	$(BIN)/python -m infra.lock

clean: ## Remove what was built and installed; the state folder .lockstep stays
	rm -rf $(VENV) $(MODEL_VENV) dist node_modules .serverless .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Lockstep needs Python 3.11 or newer; this is $$($(PYTHON) --version 2>&1). Name one: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "Python's venv module does not work here (Debian: apt-get install python3-venv)."; exit 1; }

$(VENV)/laptop.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e '.[ingest,query,backup,laptop]'
	@touch $@

$(VENV)/test.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP_INSTALL) -e '.[ingest,query,backup,s3,laptop,evaluate,test,check]'
	@touch $@ $(VENV)/laptop.stamp

$(MODEL_VENV)/export.stamp: layers/model/requirements.txt
	@$(PYTHON) -m venv $(MODEL_VENV)
	$(MODEL_VENV)/bin/python -m pip install --disable-pip-version-check --no-compile -r layers/model/requirements.txt
	@touch $@
