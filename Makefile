# Everything a person does here starts with `make`; `make help` lists it.
# Each target first lets tools/setup put in place what is missing, and nothing else.

SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
# More arguments for pytest: make test ARGS="-k journal"
ARGS ?=
export PYTHON

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## put in place what the demo and the tests need
	@tools/setup

.PHONY: demo
demo: setup ## two simulated gates, a server, and their pages, on this machine
	@$(BIN)/portillon demo

.PHONY: test
test: setup ## the whole suite, but for slow proofs and browser tests
	@$(BIN)/pytest -m "not slow and not browser" $(ARGS)

.PHONY: test-browser
test-browser: ## the tests that drive pages in a real browser
	@tools/setup browser
	@$(BIN)/pytest -m browser $(ARGS)

.PHONY: test-all
test-all: ## every test there is, slow proofs and browser included
	@tools/setup all
	@$(BIN)/pytest $(ARGS)

.PHONY: test-fresh
test-fresh: ## demo and tests from a clone in bare Debian 12 and 13 roots (needs root and mmdebstrap)
	@tools/fresh

.PHONY: test-update
test-update: ## updates of an emulated machine: good, sick, cut, forged (needs root)
	@tools/setup update
	@$(BIN)/pytest -m update $(ARGS)

.PHONY: test-container
test-container: ## units, sandboxes, first boot: Debian's own systemd in a container (needs root)
	@tools/setup container
	@$(BIN)/pytest -m container $(ARGS)

.PHONY: test-vm
test-vm: ## real kernels' USB, pins and cameras, in a small emulated machine
	@tools/setup vm
	@tools/vm
	@tools/vm-camera
	@$(BIN)/pytest -m vm $(ARGS)

.PHONY: test-powercut
test-powercut: ## the power fails at every write of an emulated machine: what then is on its disk
	@tools/setup powercut
	@tools/vm
	@$(BIN)/pytest -m powercut $(ARGS)

.PHONY: image
image: ## the image that a gate's card is written with, in var/image (root; ARGS="--arch arm64 --version 0.2.0")
	@tools/setup image
	@image-build/portillon-image $(ARGS)

.PHONY: test-image
test-image: ## images are built, compared and started: in emulators of both processors, in a container (root)
	@tools/setup image
	@tools/setup container
	@$(BIN)/pytest -m image $(ARGS)

.PHONY: test-arm64
test-arm64: ## the whole gate on an emulated 64-bit ARM board: serial line to relay (root)
	@tools/setup arm64
	@tools/vm-arm64
	@$(BIN)/pytest -m arm64 $(ARGS)

.PHONY: fuzz
fuzz: setup ## the parsers against altered documents (ARGS="--seconds 3600 manifest")
	@tools/fuzz $(ARGS)

.PHONY: chaos
chaos: ## real daemons, everything goes wrong for five minutes (root; ARGS="--seconds 300 --seed 1")
	@tools/setup chaos
	@tools/chaos $(ARGS)

.PHONY: soak
soak: setup ## simulated worlds for MINUTES, from SEED on (a minute of today's); the record is in var/soak
	@tools/soak $(if $(SEED),--seed "$(SEED)") $(if $(MINUTES),--minutes "$(MINUTES)") $(ARGS)

.PHONY: lint
lint: setup ## style, types and the doors of the house
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: pictures
pictures: ## draw the pictures of the README anew
	@tools/setup browser
	@$(BIN)/portillon pictures
	@$(BIN)/python tools/wiring_diagrams.py
	@$(BIN)/portillon demo --no-stay --picture docs/pictures/page.png

.PHONY: catalogues
catalogues: setup ## collect the messages of the pages, merge and compile the catalogues
	@$(BIN)/python tools/catalogues.py

.PHONY: bench
bench: setup ## measure the figures that the README quotes, on this machine
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python "$$script" || exit; done

.PHONY: install-gate
install-gate: ## a gate on this Debian or Raspberry Pi OS, run by systemd (root)
	@tools/install-appliance gate

.PHONY: install-server
install-server: ## a server on this Debian, run by systemd (root)
	@tools/install-appliance server

.PHONY: lock
lock: setup ## write requirements.lock anew from pyproject.toml (ARGS=--upgrade moves every pin)
	@tools/lock $(ARGS)
