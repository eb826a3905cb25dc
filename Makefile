# Short names for the scripts in deploy/scripts; each script says at its head what it does. `make help` lists them.

WORKERS ?= 5
MINUTES ?= 5
SEEDS ?= 2000
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test newer-hiredis simulate simulate-twins cluster e2e chaos compose-test models bench leak-check
.PHONY: lint format build clean install-deps

help: ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'

run: ## Start a standalone node on an embedded PostgreSQL; Ctrl-C stops it (ARGS="--files-port 9000")
	@deploy/scripts/run.sh $(ARGS)

test: ## Run every test against a PostgreSQL and a Redis of its own (FILTER=SharedMountTests for some)
	@FILTER="$(FILTER)" deploy/scripts/test.sh $(ARGS)

newer-hiredis: ## Run the Redis driver's tests with hiredis 1.x and TLS, from PyPI's C sources
	@deploy/scripts/newer-hiredis.sh $(ARGS)

simulate: ## Run simulated clusters and check every rule after every step (SEEDS=2000, ARGS="--faults pause")
	@deploy/scripts/simulate.sh --seeds $(SEEDS) --counters $(ARGS)

simulate-twins: ## Leave out each guard in turn, and show how many seeds it takes to notice
	@deploy/scripts/simulate.sh --twins $(ARGS)

cluster: ## Start a whole cluster on loopback, without containers (WORKERS=5)
	@deploy/scripts/cluster.sh $(WORKERS) $(ARGS)

e2e: ## Put real files through a cluster while workers are killed and paused (E2E_TREE=subset E2E_MODEL=cluster)
	@deploy/scripts/e2e.sh $(ARGS)

chaos: ## Random faults for MINUTES=5 under clients whose history is judged afterwards (E2E_SEED)
	@E2E_PARTS=chaos E2E_MODEL=cluster E2E_TREE=subset E2E_MINUTES="$(MINUTES)" deploy/scripts/e2e.sh $(ARGS)

compose-test: ## Bring docker-compose.yml up for real, scale it, put files through it, take it down
	@deploy/scripts/compose-test.sh $(ARGS)

models: ## Check the models of the protocol with Spin, and that each broken variant is caught (MODELS_SHORT=1 ARGS="names")
	@deploy/scripts/models.sh $(ARGS)

bench: ## Measure all figures beside their peers, into docs/benchmarks (ONLY=pg.read for some)
	@ONLY="$(ONLY)" deploy/scripts/bench.sh

leak-check: ## Prove that the drivers leak nothing, by growth and by LeakSanitizer
	@deploy/scripts/leak-check.sh $(ARGS)

lint: ## Check layout and style of Swift, shell and Python
	@deploy/scripts/lint.sh

format: ## Lay out the Swift sources
	@deploy/scripts/format.sh

build: ## Build the program (release, the only configuration)
	@deploy/scripts/dependencies.sh build
	@deploy/scripts/build.sh

install-deps: ## Install what run, test, lint, e2e, models, bench and leak-check need, as far as it is missing
	@deploy/scripts/dependencies.sh --user run test lint e2e models bench leaks

clean: ## Remove what was built here (no data is touched)
	rm -rf .build var/image
