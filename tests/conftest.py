"""Fixtures of all tests that talk to an engine; each ends what it started, also after a failure."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.origin import Origin

if TYPE_CHECKING:
    from tests.gatewayfixture import Gateway
    from tests.proxyfixture import Proxy
    from tests.targetfixture import Targets

pytest_plugins = ("tests.specplugin",)

collect_ignore = [] if os.environ.get("PENSTOCK_CLUSTER_TEST") else ["cluster"]


@pytest.fixture(autouse=True)
def nothing_left_alive() -> Iterator[None]:
    """After each test the engine's objects are those of before; only a debug build counts them."""

    def alive() -> dict[str, int]:
        faults = sys.modules.get("ext.base.faults")
        if faults is None or not faults.is_debug():
            return {}
        gc.collect()  # engines that a test has dropped
        return faults.live_objects()

    before = alive()
    yield
    left = {kind: n - before.get(kind, 0) for kind, n in alive().items() if n != before.get(kind, 0)}
    assert not left, f"alive after the test: {left}"


@pytest.fixture
def origin() -> Iterator[Origin]:
    """An upstream that answers by script."""
    with Origin() as made:
        yield made


@pytest.fixture
def app() -> Iterator[Origin]:
    """An upstream whose connections the test takes itself."""
    with Origin(by_hand=True) as made:
        yield made


@pytest.fixture
def proxy(request: pytest.FixtureRequest) -> Iterator[Callable[..., Proxy]]:
    """Makes proxies in front of the test's origin or app; all are stopped and checked at the end."""
    from tests.proxyfixture import Proxy

    made: list[Proxy] = []
    upstream = request.getfixturevalue("app" if "app" in request.fixturenames else "origin")

    def make(**settings: Any) -> Proxy:
        made.append(Proxy(upstream.port, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def targets() -> Iterator[Callable[..., Targets]]:
    """Makes engines whose targets' endpoints come and go; all are stopped and checked at the end."""
    from tests.targetfixture import Targets

    made: list[Targets] = []

    def make(**settings: Any) -> Targets:
        made.append(Targets(**settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def gateway() -> Iterator[Callable[..., Gateway]]:
    """Makes engines with routes; all are stopped and checked at the end."""
    from tests.gatewayfixture import Gateway

    made: list[Gateway] = []

    def make(**settings: Any) -> Gateway:
        made.append(Gateway(**settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def pods() -> Iterator[list[Origin]]:
    """Five upstreams that answer by script, in the order of their addresses."""
    made = [Origin() for _ in range(5)]
    yield sorted(made, key=lambda origin: f"127.0.0.1:{origin.port}")
    for one in made:
        one.close()
