"""Handover: whoever ends on one machine, gateway or control plane, callers are neither refused nor forgotten."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dataplane.errors import ConfigError
from tests.upfixture import PATIENCE_S, Machine, is_gone, machine
from tests.waiting import until

HOST = "kept.default.localhost"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("handover")) as made:
        made.run("deploy", made.app("kept"), "--env", "WORD=kept", "--annotation", "autoscaling.knative.dev/window=6s")
        yield made


def gateways(here: Machine) -> list[int]:
    """Their pids, oldest first."""
    mine = f"PENSTOCK_HANDOVER={here.folder}/".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_mine = mine in (folder / "environ").read_bytes()
            is_mine = is_mine and b"penstock-gateway" in (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if is_mine:
            found.append(int(folder.name))
    return sorted(found)


def until_zero(here: Machine) -> None:
    pods = here.state / "node" / "pods"
    until(lambda: not list(pods.glob("*.json")), "the service is at zero", PATIENCE_S)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nobody_is_refused_while_a_gateway_follows_another(here: Machine, number: signal.Signals) -> None:
    assert here.get(HOST) == (200, "kept")
    seen: list[object] = []
    over = threading.Event()

    def ask_on() -> None:
        while not over.is_set():
            try:
                seen.append(here.get(HOST))
            except OSError as error:
                seen.append(error)

    asking = threading.Thread(target=ask_on)
    (before,) = gateways(here)
    asking.start()
    try:
        until(lambda: len(seen) > 20, "requests are answered")
        os.kill(before, number)
        until(lambda: is_gone(before) and gateways(here) not in ([], [before]), "there is another gateway")
        count = len(seen)
        until(lambda: len(seen) > count + 20, "requests are answered again")
    finally:
        over.set()
        asking.join()
    failed = [one for one in seen if one != (200, "kept")]
    # One that is killed takes the request with it that runs inside; TERM costs none.
    assert len(failed) <= (number == signal.SIGKILL), failed


def test_a_request_is_held_while_the_control_plane_is_away(here: Machine) -> None:
    (before,) = gateways(here)
    until_zero(here)
    os.kill(here.pid, signal.SIGKILL)
    until(lambda: is_gone(here.pid), "it is gone")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(here.get, HOST)
        told = here.json("up", "--detach", "--port", here.port)
        here.pid = told["pid"]
        assert held.result(PATIENCE_S) == (200, "kept")
    assert gateways(here) == [before], "the gateway of before goes on"


def test_descriptors_that_are_none_are_named() -> None:
    from dataplane.config.gateway import read_gateway

    environ = {"PENSTOCK_LISTEN_FDS": "3,4", "PENSTOCK_NOTICE_FD": "x"}
    with pytest.raises(ConfigError) as raised:
        read_gateway(environ)
    said = raised.value.report("penstock-gateway")
    assert '"3,4" is not 3 descriptors; use numbers such as 3,4,5' in said
    assert '"x" is not a descriptor; use numbers such as 6' in said
    assert json.dumps("3,4") in said
