# A thin front of CMake and scripts. `make help` lists what there is.
.PHONY: all build bootstrap demo test test-long bench lint fuzz docs install clang clean help

PREFIX ?= /usr/local

all: build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile

bootstrap: ## install what Debian 12 lacks (a no-op the second time)
	@scripts/bootstrap

build: bootstrap ## the library and the command, build/release
	@cmake --preset release >/dev/null
	@cmake --build --preset release

demo: ## a real climate file imported, looked at, verified, exported; a simulation recorded, killed, continued
	@scripts/demo; status=$$?; [ $$status = 0 ] || [ $$status = 77 ] || exit $$status
	@scripts/demo-recording

test: bootstrap ## all tests: release, clang, sanitizers, interop; one closing line
	@scripts/test

test-long: bootstrap ## the long suites
	@scripts/test long

bench: bootstrap ## measure beside the peers; BENCH_QUICK=1 for a short run
	@scripts/bench

lint: bootstrap ## formatting (a gate), clang-tidy and cppcheck (findings)
	@scripts/lint

fuzz: bootstrap ## each fuzz target for FUZZ_SECONDS (60)
	@scripts/fuzz

docs: build ## regenerate the generated pages, check the links
	@scripts/docs

install: build ## to PREFIX (/usr/local)
	@cmake --install build/release --prefix "$(PREFIX)"

clang: bootstrap ## build everything with clang, warnings are errors
	@cmake --preset clang >/dev/null
	@cmake --build --preset clang

clean: ## remove build/
	rm -rf build
