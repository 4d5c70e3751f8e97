# One command trains the demo, one passes the tests; both make their own environment first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# A job is many processes: without a cache each of them would compile torch and Ray for itself.
unexport PYTHONDONTWRITEBYTECODE
# Without vLLM the same job samples with the other engine.
ENGINE = $(if $(wildcard .venv/no-vllm),--set rollout.engine=transformers)

help:  ## Print the targets.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: .venv/ready  ## Make .venv with everything a CPU machine needs.

.venv/ready: requirements/install.sh $(wildcard requirements/*.txt) pyproject.toml hatch_build.py
	sh requirements/install.sh $(PYTHON)

serve: setup  ## The control plane on this machine: API, page and job runner on http://127.0.0.1:8080.
	$(BIN)/vppo serve

demo: setup  ## Train a tiny vision-language model with VPPO on this machine.
	rm -rf runs/demo
	$(BIN)/vppo train helm/examples/demo-vppo.yaml --output runs/demo $(ENGINE)

check: setup lint test  ## Everything that must be green: style, types, import contracts, tests.

lint: setup  ## Style, types, import contracts, spelling, Dockerfile, scripts.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/hadolint Dockerfile
	$(BIN)/shellcheck .ci/run requirements/install.sh

test: setup  ## All tests but the learning lane.
	$(BIN)/pytest -m "not learning and not gpu and not cluster"

check-cluster: setup  ## Tests on a cluster: KUBECONFIG, KubeRay on it, and VPPO_TEST_IMAGE loaded.
	$(BIN)/pytest tests/e2e --durations=10

image: ## Build the image of the tests with docker; another builder takes the same Dockerfile.
	docker build --target cpu --tag localhost/vppo:test .

check-learning: setup  ## VPPO, DAPO and GRPO each learn the demo task; takes a quarter of an hour.
	$(BIN)/pytest -m learning -s

bench: setup  ## Measure; JSON under benchmarks/.
	$(BIN)/python -m benchmarks

format: setup  ## Rewrite the code in the project's style.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: setup  ## Regenerate the committed JSON schema of a job and the OpenAPI of the control plane.
	$(BIN)/vppo schema job > tests/golden/job.schema.json
	$(BIN)/python -m vppo_services.api.openapi > tests/golden/openapi.json
	$(BIN)/python -m vppo_core.spec.values_schema charts/vppo > charts/vppo/values.schema.json

crd: setup  ## Regenerate the chart of the custom resource, and the committed attempts.
	$(BIN)/python -m vppo_core.manifests.crd_chart > charts/vppo-crds/templates/vppojobs.yaml
	$(BIN)/python -m tests.unit.core.manifests.golden

dashboards: setup  ## Print the dashboards, alerts and runbooks of the chart.
	$(BIN)/python -m vppo_core.dashboards charts/vppo

check-dashboards: setup  ## A real job under a real Prometheus: each panel and alert has its series.
	$(BIN)/python -m tests.dashboards.live

pins: setup  ## Regenerate requirements/*.txt from what is installed.
	$(BIN)/python requirements/pins.py

clean:  ## Remove the environment and all runs.
	rm -rf .venv runs

.PHONY: help setup serve demo check lint test check-cluster image check-learning bench format schema crd dashboards check-dashboards pins clean
