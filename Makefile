# Universal Memory. `make demo` and `make test` do all set-up by themselves; `make help` lists the rest.
# PYTHON=/path/to/python3.11 chooses the interpreter.

SHELL := /bin/bash
RUN := scripts/run.sh
CACHE := $(or $(UMP_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/universal_memory)

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-two-robots test fast lint lock clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

demo: ## the main job: a day in a home, replayed, compiled, and asked about
	@./ump demo

demo-two-robots: ## one robot lives the day, another one with another model answers from its files
	@./ump demo --two-robots

test: lint ## all checks and all tests, as continuous integration runs them
	@$(RUN) python -m pytest

fast: ## the tests that need no real model and no real node
	@$(RUN) python -m pytest -m "not slow"

lint: ## ruff and mypy
	@$(RUN) ruff check
	@$(RUN) mypy

setup: ## only the set-up: Python environment, ROS 2, interfaces
	@scripts/setup.sh
	@echo "Ready: ./ump --help"

lock: ## resolve the newest versions for PYTHONS="python3.10 ..." into constraints.txt
	python3 scripts/lock_constraints.py $(or $(PYTHONS),python3.10 python3.11 python3.12)

clean: ## remove all that the other targets made, in the checkout and in the model cache
	rm -rf .venv build ros_ws/build ros_ws/install ros_ws/log
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf "$(CACHE)/language_models"
