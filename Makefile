# A thin front of CMake and scripts. `make help` lists what there is.
.PHONY: all build bootstrap demo test test-long bench lint fuzz docs install clean help

all: build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile

bootstrap: ## install what Debian 12 lacks (a no-op the second time)
	@scripts/bootstrap

build: bootstrap ## the library and the command, build/release
	@cmake --preset release >/dev/null
	@cmake --build --preset release

test: bootstrap ## all tests: release, sanitizers, interop; one closing line
	@scripts/test

test-long: bootstrap ## the long suites
	@scripts/test long

clean: ## remove build/
	rm -rf build
