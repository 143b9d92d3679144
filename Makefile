# Plain commands: run them in the project's environment. `make help` lists the targets.

.DEFAULT_GOAL := help
.PHONY: help install test unit lint format types contract docs check demo

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ## Install everything for development into the active environment.
	uv pip install --editable '.[demo]' --group dev

test: ## Run all tests.
	pytest

unit: ## Run the tests that need no services.
	pytest tests/unit

lint: ## Check style.
	ruff check
	ruff format --check

format: ## Repair style.
	ruff check --fix
	ruff format

types: ## Check types.
	mypy

contract: ## Check the layers of the architecture.
	lint-imports

docs: ## Build the documentation into build/site.
	mkdocs build --strict

check: lint types contract docs test ## Everything that must pass.

demo: ## Run the whole loop on this machine.
	wildloop demo
