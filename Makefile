# Every target does its own set-up: a virtual environment in .venv, packages of pip and of Debian, the engine.
# What is done leaves a stamp in build/.

PYTHON ?= python3
SECONDS ?= 300
JOBS ?= 2

BIN := .venv/bin
ENGINE := $(shell find ext -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' -o -name '*.h' -o -name building.py)
MODULES := $(shell find dataplane ext -name '*.py')

# Debian's packages by what needs them. A Python from elsewhere brings its own headers and venv.
DEBIAN_PYTHON := $(if $(filter /usr/bin/%,$(shell command -v $(PYTHON))),python3-dev python3-venv)
DEBIAN_GO := $(if $(shell command -v go),,golang-go)
DEBIAN_build := gcc libc6-dev libssl-dev libnghttp2-dev $(DEBIAN_PYTHON)
DEBIAN_test := curl openssl nghttp2-client wrk prometheus spin iproute2 $(DEBIAN_GO)
DEBIAN_bench := nginx haproxy wrk nghttp2-client nghttp2-server strace valgrind openssl $(DEBIAN_GO)
DEBIAN_load := $(DEBIAN_GO)
DEBIAN_sanitize := $(DEBIAN_test)
DEBIAN_fuzz := clang libclang-rt-14-dev
DEBIAN_cluster := buildah mmdebstrap iproute2 curl $(DEBIAN_GO)

.PHONY: build demo test lint bench load sanitize fuzz cluster-test clean
.DELETE_ON_ERROR:

build: build/engine.stamp build/launcher.stamp

demo: build
	$(BIN)/python -m loadtests.demo

test: build build/extra-test.stamp build/extra-otlp.stamp build/extra-controller.stamp build/debian-test.stamp
	$(BIN)/pytest -n $(JOBS) --timeout 300

lint: build build/extra-lint.stamp build/extra-test.stamp build/extra-otlp.stamp build/extra-controller.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH" cython-lint ext
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/house

bench: build build/extra-otlp.stamp build/extra-load.stamp build/debian-bench.stamp
	$(BIN)/python -m loadtests.compare

load: build build/extra-load.stamp build/extra-test.stamp build/debian-load.stamp
	$(BIN)/python -m loadtests.run

sanitize: build build/extra-test.stamp build/debian-sanitize.stamp
	$(BIN)/python -m tests.sanitize
	$(BIN)/python -m tests.model.run

fuzz: build build/extra-test.stamp build/debian-fuzz.stamp
	$(BIN)/python -m tests.fuzz.run --seconds $(SECONDS)

cluster-test: build/extra-test.stamp build/debian-cluster.stamp
	PENSTOCK_CLUSTER_TEST=1 $(BIN)/pytest tests/cluster -s

clean:
	rm -rf build dist ext/*.so

build/engine.stamp: build/venv.stamp $(ENGINE)
	$(BIN)/python -c "from setuptools import setup; setup()" -q build_ext --inplace
	@touch $@

build/launcher.stamp: build/venv.stamp $(MODULES)
	$(BIN)/python -m compileall -q dataplane ext
	$(BIN)/python -m dataplane.launcher
	@touch $@

build/venv.stamp: pyproject.toml | build/debian-build.stamp
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['build-system']['requires'], sep='\n')" > build/requires.txt
	$(BIN)/pip install -q --disable-pip-version-check -r build/requires.txt
	@touch $@

build/extra-%.stamp: pyproject.toml | build/venv.stamp
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
