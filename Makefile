# gptoss: every target installs what it lacks (tools/setup.sh), then does its work.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PREFIX ?= /usr/local
PROMPT ?= What is gptoss, and what can you do?
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)
FUZZ_SECONDS ?= 20
# Unless told otherwise by the user, cmake's own choice of compiler.
CMAKE_ARGS ?=

define build_preset
	cmake --preset $(1) $(CMAKE_ARGS) $(3) -Wno-dev >build-$(1).log 2>&1 || { cat build-$(1).log; rm -f build-$(1).log; exit 1; }
	@rm -f build-$(1).log
	cmake --build build/$(1) -j $(JOBS) $(2)
endef

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

.PHONY: build
build: ## the program, at build/release/gptoss
	@tools/setup.sh build test
	@$(call build_preset,release,--target gptoss)

.PHONY: run
run: build ## build, then answer PROMPT with the embedded demo model
	@echo
	@build/release/gptoss run --stats "$(PROMPT)"

.PHONY: test
test: ## build and run all tests
	@tools/setup.sh build test
	@tools/fetch_test_data.sh
	@$(call build_preset,release,)
	@cd build/release && ctest --output-on-failure -j $(JOBS)

.PHONY: test-hub
test-hub: ## all of the installer's tests, those that kill, stall and race included
	@tools/setup.sh build test
	@tools/fetch_test_data.sh
	@$(call build_preset,release,)
	@cd build/release && ctest -C Hub -R e2e_hub --output-on-failure

.PHONY: debug
debug: ## everything unoptimised, each source compiled alone
	@tools/setup.sh build test
	@$(call build_preset,debug,)

.PHONY: test-adapters
test-adapters: ## our client of other agents against all adapters from npm (about 520 MB)
	@tools/setup.sh build test
	@tools/fetch_test_data.sh adapters
	@$(call build_preset,release,--target acp_adapters_test)
	@cd build/release && ctest -R acp_adapters --output-on-failure

.PHONY: asan
asan: ## the tests under AddressSanitizer and UBSan
	@tools/setup.sh build test sanitize
	@tools/fetch_test_data.sh
	@$(call build_preset,asan,)
	@cd build/asan && ctest --output-on-failure -j $(JOBS)

.PHONY: tsan
tsan: ## the tests under ThreadSanitizer
	@tools/setup.sh build test sanitize
	@tools/fetch_test_data.sh
	@$(call build_preset,tsan,)
	@cd build/tsan && ctest --output-on-failure -j $(JOBS)

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZ_SECONDS
	@tools/setup.sh build test sanitize
	@$(call build_preset,fuzz,--target fuzzers)
	@tools/run_fuzzers.sh build/fuzz $(FUZZ_SECONDS)

.PHONY: bench
bench: ## build and run the benchmarks (see bench/README.md)
	@tools/setup.sh build test bench
	@tools/fetch_test_data.sh
	@$(call build_preset,bench,)
	@bench/run.sh build/bench

.PHONY: lint
lint: check-format check-house check-tidy check-macos ## format, layers, sizes, clang-tidy, macOS and arm64

.PHONY: check-format
check-format:
	@tools/setup.sh build lint
	@tools/check_format.sh

.PHONY: format
format: ## rewrite the sources in the project's format
	@tools/setup.sh build lint
	@tools/check_format.sh --fix

.PHONY: check-house
check-house:
	@python3 tools/check_house.py

.PHONY: check-tidy
check-tidy:
	@tools/setup.sh build test sanitize lint
	@tools/check_tidy.sh

.PHONY: check-macos
check-macos: ## compile for macOS; run the kernel and tokenizer tests for arm64 under qemu
	@tools/setup.sh build test sanitize cross
	@tools/fetch_test_data.sh
	@tools/check_macos.sh

.PHONY: install
install: build ## install the program to PREFIX (/usr/local)
	@cmake --install build/release --prefix "$(DESTDIR)$(PREFIX)" --component gptoss

.PHONY: install-library
install-library: ## install library, headers and find_package(gptoss) to PREFIX
	@tools/setup.sh build test
	@$(call build_preset,release,)
	@cmake --install build/release --prefix "$(DESTDIR)$(PREFIX)" --component development

.PHONY: clean
clean: ## remove build/
	rm -rf build
