# Everything a person does with this checkout. Needs python3, pip and make; brings the rest itself.
# `make` lists the targets.

PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format test-services torture soak adversary books bench fuzz fuzz-api simulate pictures building wheel lock clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install everything into this folder (.uv, .venv, web assets)
	@$(PYTHON) scripts/setup.py

demo: setup ## Run a simulated property, edge and cloud; ONCE=1: bounded, prints the proof, exits
	@$(BIN)/gatehouse demo $(if $(ONCE),--once) $(ARGS)

test: check test-services ## Lint, types, contracts and all tests
	@$(BIN)/python scripts/run_tests.py $(ARGS)

check: setup ## Lint, format, types, import contracts, documentation links
	@$(BIN)/python scripts/check.py

format: setup ## Format the code and apply safe lint fixes
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

test-services: setup ## Bring PostgreSQL, mosquitto, Chromium and a CJK font for the tests
	@$(BIN)/python scripts/test_services.py

torture: setup ## A day and a night of kills, power cuts, forgeries and worlds; KILLS=100: the short form
	@$(BIN)/python -m tests.torture.run --edge-kills $(or $(KILLS),1000) --cloud-kills $(or $(KILLS),1000) \
		--both-kills $(or $(KILLS),1000) $(ARGS)
	@$(BIN)/python -m tests.crash.run --cuts $(or $(CUTS),$(if $(KILLS),2000,100000)) --doors $(or $(DOORS),10000)
	@GATEHOUSE_FORGERIES=100000 $(BIN)/pytest -q tests/edge/test_admission.py -k forged
	@$(BIN)/python -m tests.simulation.run --seeds $(or $(SEEDS),$(if $(KILLS),20,10000))

soak: setup ## Let network, broker and buses come and go thousands of times; N=flaps (default 10000)
	@$(BIN)/python -m tests.torture.soak --flaps $(or $(N),10000) $(ARGS)

adversary: setup ## Lie to every driver in virtual time; N=exchanges each (default 1000000)
	@$(BIN)/python -m tests.edge.adversary --exchanges $(or $(N),1000000) $(ARGS)

books: setup ## A million random steps at the desk (N=steps) and a year of a thousand accounts (ACCOUNTS=), to the fen
	@$(BIN)/python -m tests.billing.books --steps $(or $(N),1000000) $(ARGS)
	@$(BIN)/python -m tests.billing.year --accounts $(or $(ACCOUNTS),1000)

bench: setup test-services ## Measure polling, ingest and billing against the raw libraries
	@$(BIN)/python -m bench $(ARGS)

fuzz: setup ## Feed N=100000 damaged inputs to each decoder; a release: N=10000000 JOBS=2; ARGS="--target mbus"
	@$(BIN)/python -m tests.fuzz.run --inputs $(or $(N),100000) --jobs $(or $(JOBS),1) $(ARGS)

fuzz-api: setup test-services ## Ask every operation of the API oddly; REQUESTS=how many each (default 50)
	@GATEHOUSE_REQUESTS=$(or $(REQUESTS),50) $(BIN)/pytest -q tests/api/test_fuzz.py

simulate: setup ## Run SEEDS=20 simulated worlds through every fault, MINUTES=15 each; ARGS="--first 7 --diary"
	@$(BIN)/python -m tests.simulation.run --seeds $(or $(SEEDS),20) --minutes $(or $(MINUTES),15) $(ARGS)

pictures: setup test-services ## Take the pictures of the README and the guides anew, from a demonstration
	@$(BIN)/python scripts/pictures.py $(ARGS)

building: setup ## Run only the simulated building
	@$(BIN)/gatehouse simulate $(ARGS)

wheel: setup ## Build the package into dist/, web assets included
	@$(BIN)/python -m hatchling build -t wheel -d dist

lock: setup ## Resolve requirements.lock anew from pyproject.toml
	@$(BIN)/python scripts/lock.py $(ARGS)

clean: ## Remove what set-up, tests and demo made
	rm -rf .venv .uv .tools var dist build cloud/console/static cloud/console/web/node_modules
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
