# The commands of the project. `make` lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SOURCES := automation strategies hyperopts tests

export UV_LINK_MODE ?= copy
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup up test test-long prove explore check lint fmt types layers bench results docs lock clean
.PHONY: gate gate-bundle gate-verdict gate-renew gate-propose audit static actionlint images image-push image-digest
.PHONY: image-verify image-smoke channel channel-back

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY)  ## install everything into .venv; then .venv/bin/freqfleet works

$(READY): requirements/lock.txt requirements/uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; set PYTHON=/path/to/python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/lock.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

up: setup  ## start the demo fleet: a simulator and three bots; Ctrl-C takes it down
	$(BIN)/freqfleet up

test: setup check  ## every check, and the tests of the first tier (<= 15 min on 2 cores)
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-long: setup  ## a seeded sample of the long suites (<= 40 min on 2 cores)
	$(BIN)/python -m pytest -m long -n 2 --dist loadgroup

prove: setup  ## the full counts; resumable
	$(BIN)/python -m pytest -m prove

# The bundle that the gate judges on: the committed one, else real candles of FREQFLEET_DATA, else a
# made-up market. The same file each time it is made from the same candles.
GATE_BUNDLE := user_data/gate/bundle.tar.zst
GATE_PAIRS := BTC/USDT:USDT,ETH/USDT:USDT,SOL/USDT:USDT,BNB/USDT:USDT,XRP/USDT:USDT
GATE_RANGE := 20250101-20250630
GATE_TIMEFRAMES := 5m,15m,1h

gate: gate-bundle  ## judge the strategies that the change touches (GATE=--all: every one)
	$(BIN)/freqfleet gate run --bundle $(GATE_BUNDLE) --report user_data/gate/report $(GATE)

gate-bundle: setup
	@mkdir -p $(dir $(GATE_BUNDLE))
	@if test -f configs/gate.bundle.tar.zst; then cp configs/gate.bundle.tar.zst $(GATE_BUNDLE); \
	elif test -n "$$FREQFLEET_DATA"; then $(BIN)/freqfleet gate bundle --data "$$FREQFLEET_DATA" --timeframes $(GATE_TIMEFRAMES) --pairs $(GATE_PAIRS) --timerange $(GATE_RANGE) -o $(GATE_BUNDLE); \
	else $(BIN)/freqfleet gate bundle --seed 7 --timeframes $(GATE_TIMEFRAMES) --pairs $(GATE_PAIRS) --timerange $(GATE_RANGE) -o $(GATE_BUNDLE); fi

gate-verdict:
	@test "$(TOUCHED)" = success || { echo "which strategies are touched is not known: $(TOUCHED)"; exit 1; }
	@test "$(GATE)" = success -o "$(GATE)" = skipped || { echo "the gate of a touched strategy: $(GATE)"; exit 1; }

gate-renew: setup
	$(BIN)/freqfleet gate bundle --download --timeframes $(GATE_TIMEFRAMES) --pairs $(GATE_PAIRS) --timerange "$$(date -u -d '-6 months' +%Y%m01)-$$(date -u +%Y%m01)" -o configs/gate.bundle.tar.zst
	# What a strategy does on the new candles is for the pull request to judge: exit 1 is no obstacle.
	$(BIN)/freqfleet gate baseline --bundle configs/gate.bundle.tar.zst -o configs/gate.baseline.json || test $$? -eq 1

gate-propose:
	git switch -c gate/renew-$$(date -u +%Y%m%d)
	git add -f configs/gate.bundle.tar.zst configs/gate.baseline.json
	git -c user.name=github-actions -c user.email=github-actions@users.noreply.github.com commit -m "Renew the gate's bundle and baseline"
	gh auth setup-git && git push --set-upstream origin HEAD
	gh pr create --fill

# What .github/workflows/security.yml looks for; findings are SARIF files in build/security.
AUDIT := build/audit
FINDINGS := build/security

audit: setup  ## look up known vulnerabilities of every pinned dependency (needs the network)
	@mkdir -p $(AUDIT) $(FINDINGS)
	@printf '[project]\nname = "pinned"\nversion = "0"\nrequires-python = ">=3.11,<3.14"\n' > $(AUDIT)/pyproject.toml
	$(BIN)/uv add --quiet --project $(AUDIT) --no-sync --requirements requirements/lock.txt
	@# A file without a word in it is no SARIF: kept only if the look-up told something.
	$(BIN)/uv audit --preview-features audit --project $(AUDIT) --output-format sarif > $(AUDIT)/found.sarif; \
	code=$$?; test ! -s $(AUDIT)/found.sarif || mv $(AUDIT)/found.sarif $(FINDINGS)/dependencies.sarif; exit $$code

# Go checks the version against its public checksum database; ACTIONLINT names a program that is there.
ACTIONLINT ?= go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

actionlint:  ## check the workflows with actionlint (needs Go and the network, or ACTIONLINT=PROGRAM)
	$(ACTIONLINT)

static: setup  ## ruff's and zizmor's findings as SARIF; fails if there are any
	@mkdir -p $(FINDINGS)
	$(BIN)/ruff check --quiet --output-format sarif --output-file $(FINDINGS)/ruff.sarif .
	$(BIN)/zizmor --offline --quiet --format sarif --no-exit-codes .github > $(FINDINGS)/zizmor.sarif
	$(BIN)/zizmor --offline --quiet .github

# Images, and the channels (tags in the registry) that hosts follow; see docs/how-to/release.md.
IMAGES := bot sidecar
IMAGE_TAG := local
REGISTRY := freqfleet
PUSHED := build/images

images:  ## build the images for this machine from deploy/docker
	@set -e; for image in $(IMAGES); do \
	docker build --file deploy/docker/$$image.Dockerfile --tag $(REGISTRY)/$$image:$(IMAGE_TAG) .; done

image-push:
	@mkdir -p $(PUSHED)
	docker buildx build --platform linux/amd64,linux/arm64 --push --metadata-file $(PUSHED)/$(IMAGE).json \
	--file deploy/docker/$(IMAGE).Dockerfile --tag $(REGISTRY)/$(IMAGE):$(IMAGE_TAG) .

image-digest:
	@python3 -c 'import json; print("digest=" + json.load(open("$(PUSHED)/$(IMAGE).json"))["containerimage.digest"])'

image-verify:
	@set -e; for image in $(IMAGES); do \
	gh attestation verify oci://$(REGISTRY)/$$image:$(IMAGE_TAG) --repo "$$GITHUB_REPOSITORY"; done

image-smoke:  ## run each image without a network: the programs start, and a strategy trades a made-up market
	docker run --rm --network none --entrypoint freqfleet $(REGISTRY)/sidecar:$(IMAGE_TAG) --help
	docker run --rm --network none --entrypoint freqfleet $(REGISTRY)/bot:$(IMAGE_TAG) backtest DemoPulseStrategy --timerange 20240301-20240304

channel:
	@mkdir -p $(PUSHED)
	@set -e; for image in $(IMAGES); do \
	docker buildx imagetools inspect --format '{{.Manifest.Digest}}' $(REGISTRY)/$$image:$(CHANNEL) > $(PUSHED)/$$image.$(CHANNEL) || rm $(PUSHED)/$$image.$(CHANNEL); \
	docker buildx imagetools create --tag $(REGISTRY)/$$image:$(CHANNEL) $(REGISTRY)/$$image:$(IMAGE_TAG); done

channel-back:
	@set -e; for image in $(IMAGES); do test ! -s $(PUSHED)/$$image.$(CHANNEL) || \
	docker buildx imagetools create --tag $(REGISTRY)/$$image:$(CHANNEL) $(REGISTRY)/$$image@$$(cat $(PUSHED)/$$image.$(CHANNEL)); done

explore: setup  ## the properties of the first tier with other examples each time
	$(BIN)/python -m pytest -n 2 --dist loadgroup --hypothesis-profile explore tests/unit

check: lint types layers  ## ruff, mypy, import layers, spelling, workflows

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/yamllint --strict .
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/hadolint deploy/docker/*.Dockerfile
	$(BIN)/deptry .

types: setup
	$(BIN)/mypy

layers: setup
	$(BIN)/lint-imports

fmt: setup  ## format the code
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

bench: setup  ## measure the figures of docs/reference/benchmarks.md
	$(BIN)/python -m pytest -m bench tests/bench -s

results: setup  ## backtest every strategy and write its page: make results DATA=DIR [SAMPLE=DIR] [ONLY="NAME..."]
	$(BIN)/python -m automation.app.results --data $(or $(DATA),$(error say where the candles are: make results DATA=DIR)) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(ONLY),--only $(ONLY))

docs: setup  ## make the generated reference pages and the JSON schema anew
	$(BIN)/python -m automation.app.reference

PIN := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet --custom-compile-command 'make lock'

lock: setup  ## pin every dependency anew
	$(PIN) --all-extras -o requirements/lock.txt
	$(PIN) --extra services --constraint requirements/lock.txt -o requirements/sidecar.txt
	$(PIN) --extra core --extra quant --extra services --constraint requirements/lock.txt -o requirements/bot.txt
	grep -A 40 '^uv==' requirements/lock.txt | sed -n '1p;2,/^[a-z]/{/^    --hash/p}' > requirements/uv.txt

clean:  ## remove what setup and the tools made; user_data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
