# labctl. "make help" lists the targets.

ARCHES := amd64 arm64 arm 386 riscv64
AGENTS := $(ARCHES:%=runner/agentbin/bin/labctl-agent-linux-%.xz)
# What an agent is made of: its sources, the packer's flags and the dependencies' versions.
AGENT_SOURCES := $(shell find agent modules cmd/labctl-agent runner/agentbin/pack runner/agentbin/header.go -name '*.go' ! -name '*_test.go') go.mod go.sum

LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.5.0
GOTESTSUM := gotest.tools/gotestsum@v1.13.0
# How many hosts make bench plays to, and what it does with the figures when UPDATE is set.
HOSTS := 1,5
RENEW := -figures $(CURDIR)/docs/benchmarks.json -page $(CURDIR)/docs/benchmarks.md

DEMO := playbooks/examples/demo
# How long make fuzz takes for each of its tests.
FUZZTIME := 60s

# Where make install puts things: below DESTDIR is where a package is made of them.
PREFIX := /usr/local
DESTDIR :=
BIN := bin
TO = $(DESTDIR)$(PREFIX)
DIRS := bin share/man share/bash-completion/completions share/zsh/site-functions share/fish/vendor_completions.d share/doc/labctl/docs/modules

# Namespaces need root. What is built is built by whoever calls make; only tests and the demo go up.
ifeq ($(shell id -u),0)
SUDO :=
AS_ROOT :=
else
SUDO := sudo
AS_ROOT := -exec 'sudo env PATH=$(PATH) GOMODCACHE=$(shell go env GOMODCACHE) GOFLAGS=-mod=readonly LABCTL_TEST_KERNEL=1'
endif

# On Linux a test that cannot run is a failure; elsewhere there is no kernel to test.
KERNEL := $(if $(filter Linux,$(shell uname)),LABCTL_TEST_KERNEL=1)

.DEFAULT_GOAL := build
.PHONY: build agents install man demo test fuzz bench lint policy clean setup help

build: agents ## Build bin/labctl with the agents inside, and its other name, bin/labctl-playbook.
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/labctl ./cmd/labctl
	@ln -sf labctl bin/labctl-playbook

agents: $(AGENTS) ## Build the agents that labctl carries, one per machine type.

runner/agentbin/bin/labctl-agent-linux-%.xz: $(AGENT_SOURCES)
	@go run ./runner/agentbin/pack -o $(@D) $*

man: ## Write the manual pages to bin/man.
	@go run ./cmd/labctl man bin/man

# What is installed has been built before, by a user who has Go: root need not.
install: ## Install what "make" has built below PREFIX: both names, manual pages, completion of the shells, docs.
	@test -x $(BIN)/labctl || { echo "There is no $(BIN)/labctl: run make first." >&2; exit 1; }
	install -d $(DIRS:%='$(TO)/%')
	install -m 755 $(BIN)/labctl '$(TO)/bin/labctl'
	@ln -sf labctl '$(TO)/bin/labctl-playbook'
	@$(BIN)/labctl man '$(TO)/share/man' >/dev/null
	@$(BIN)/labctl completion bash >'$(TO)/share/bash-completion/completions/labctl'
	@$(BIN)/labctl completion zsh >'$(TO)/share/zsh/site-functions/_labctl'
	@$(BIN)/labctl completion fish >'$(TO)/share/fish/vendor_completions.d/labctl.fish'
	@'$(TO)/bin/labctl-playbook' completion bash >'$(TO)/share/bash-completion/completions/labctl-playbook'
	@'$(TO)/bin/labctl-playbook' completion zsh >'$(TO)/share/zsh/site-functions/_labctl-playbook'
	@'$(TO)/bin/labctl-playbook' completion fish >'$(TO)/share/fish/vendor_completions.d/labctl-playbook.fish'
	install -m 644 README.md LICENSE '$(TO)/share/doc/labctl'
	@install -m 644 docs/*.md '$(TO)/share/doc/labctl/docs'
	@install -m 644 docs/modules/*.md '$(TO)/share/doc/labctl/docs/modules'

demo: setup build ## Bring up a jump host and three hosts, plan, play through the jump twice, take them down.
	@$(SUDO) .ci/demo $(DEMO)

# A few tests that fail are run once more, and both runs are told: where sshd, kernels of guests and two processors meet, a
# fault that stays is told from one that went by chance. The last lines name all that failed at first.
test: setup agents ## Run every test, those that need root and namespaces included.
	@$(KERNEL) go run $(GOTESTSUM) --format pkgname-and-test-fails --format-hide-empty-pkg --hide-summary skipped \
		--rerun-fails=1 --rerun-fails-max-failures=5 --packages ./... -- -timeout 30m $(AS_ROOT)

fuzz: ## Fuzz whatever reads what others write, each for FUZZTIME; findings go to testdata/fuzz.
	@FUZZTIME=$(FUZZTIME) .ci/fuzz

bench: build ## Measure labctl beside Ansible, Mitogen, ssh, ip and iptables-restore (about 15 minutes).
	@.ci/setup bench
	@go test -timeout 2h -run '^$$' -bench . -benchtime 1x $(AS_ROOT) ./cmd/labctl/internal/bench -hosts $(HOSTS) $(if $(UPDATE),$(RENEW))
	@go test -timeout 30m -run '^$$' -bench . $(AS_ROOT) ./agent/linux ./modules/... ./transport/... ./inventory ./playbooks ./cmd/labctl/internal/sandbox

lint: ## Run the linters of .golangci.yml.
	@go run $(LINT) run

policy: ## Check only the project's own rules: imports, sizes, licences, package comments.
	@go test ./cmd/labctl/internal/policy

clean: ## Remove what make has built.
	rm -rf bin $(AGENTS) $(AGENTS:=.sum)

setup:
	@.ci/setup

help: ## Show this list.
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10
