# Every target does its own set-up: a virtual environment in .venv, packages of pip and of Debian, the engine.
# What is done leaves a stamp where it would go with what it stands for: in build/, or in .venv/.

PYTHON ?= python3
SECONDS ?= 300
JOBS ?= 2

BIN := .venv/bin
ENGINE := $(shell find ext -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.h' -o -name building.py -o -name joining.py)
MODULES := $(shell find controller dataplane ext -name '*.py')

# Go comes from pip where there is none, or one so old (before 1.21, as Debian 12's) that it cannot fetch a newer one.
GO := $(if $(shell go env GOTOOLCHAIN 2>/dev/null),,.venv/extra-go.stamp)

# Debian's packages by what needs them; a target's come first, so that all that is missing is named at once.
# A Python from elsewhere brings its own headers and venv.
DEBIAN_PYTHON := $(if $(filter-out /usr/bin/%,$(shell command -v $(PYTHON))),,python3-dev python3-venv)
DEBIAN_build := gcc libc6-dev libssl-dev libnghttp2-dev $(DEBIAN_PYTHON)
DEBIAN_test := $(DEBIAN_build) curl openssl nghttp2-client wrk prometheus spin iproute2 ca-certificates
DEBIAN_bench := $(DEBIAN_build) nginx haproxy wrk nghttp2-client nghttp2-server strace valgrind openssl ca-certificates
DEBIAN_load := $(DEBIAN_build) ca-certificates
DEBIAN_sanitize := $(DEBIAN_test)
DEBIAN_fuzz := $(DEBIAN_build) clang libclang-rt-14-dev
DEBIAN_cluster := $(DEBIAN_build) buildah mmdebstrap iproute2 curl ca-certificates

.PHONY: build demo test lint bench load sanitize fuzz cluster-test clean
.DELETE_ON_ERROR:
.NOTPARALLEL:

build: build/engine.stamp build/launcher.stamp .venv/extra-controller.stamp

demo: build
	$(BIN)/python -m loadtests.demo
	$(BIN)/python -m loadtests.story

test: build/debian-test.stamp build .venv/extra-test.stamp .venv/extra-otlp.stamp .venv/extra-controller.stamp $(GO)
	$(BIN)/pytest -n $(JOBS) --timeout 300

lint: build/engine.stamp .venv/extra-lint.stamp .venv/extra-test.stamp .venv/extra-otlp.stamp .venv/extra-load.stamp .venv/extra-controller.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint ext
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/house

bench: build/debian-bench.stamp build .venv/extra-otlp.stamp .venv/extra-load.stamp $(GO)
	$(BIN)/python -m loadtests.compare

load: build/debian-load.stamp build .venv/extra-load.stamp .venv/extra-test.stamp $(GO)
	$(BIN)/python -m loadtests.run

sanitize: build/debian-sanitize.stamp build .venv/extra-test.stamp $(GO)
	$(BIN)/python -m tests.sanitize
	$(BIN)/python -m tests.model.run

fuzz: build/debian-fuzz.stamp build .venv/extra-test.stamp
	$(BIN)/python -m tests.fuzz.run --seconds $(SECONDS)

cluster-test: build/debian-cluster.stamp .venv/extra-test.stamp $(GO)
	PENSTOCK_CLUSTER_TEST=1 $(BIN)/pytest tests/cluster -s

clean:
	rm -rf build dist ext/*.so

build/engine.stamp: .venv/build.stamp $(ENGINE)
	$(BIN)/python -W ignore -c "from setuptools import setup; setup()" -q build_ext --inplace
	@touch $@

build/launcher.stamp: .venv/build.stamp $(MODULES)
	$(BIN)/python -m compileall -q controller dataplane ext
	$(BIN)/python -m dataplane.launcher
	@touch $@

.venv/build.stamp: pyproject.toml | build/debian-build.stamp
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['build-system']['requires'], sep='\n')" > build/requires.txt
	$(BIN)/pip install -q --disable-pip-version-check -r build/requires.txt
	@touch $@

.venv/extra-%.stamp: pyproject.toml | .venv/build.stamp
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['$*'], sep='\n')" > build/extra-$*.txt
	$(BIN)/pip install -q --disable-pip-version-check -r build/extra-$*.txt
	@touch $@

# Root installs what is missing, with no service started; anybody else is told what to install.
build/debian-%.stamp:
	@mkdir -p build
	@command -v dpkg-query >/dev/null || { echo "no Debian here: see to it that you have $(DEBIAN_$*)"; exit 0; }; \
	missing=; for package in $(DEBIAN_$*); do \
	    dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" != 0 ]; then \
	    echo "missing Debian packages; as root: apt-get install$$missing" >&2; exit 1; \
	fi; \
	if [ -n "$$missing" ]; then \
	    echo "installing:$$missing"; \
	    policy=/usr/sbin/policy-rc.d; [ -e $$policy ] && policy= || { printf '#!/bin/sh\nexit 101\n' > $$policy; chmod 755 $$policy; }; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	    done=$$?; [ -z "$$policy" ] || rm -f $$policy; exit $$done; \
	fi
	@touch $@
