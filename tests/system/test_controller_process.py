"""penstock-controller as a process: one leads, TERM hands over at once, and what is wrong is said in lines of JSON."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from controller.local.admission import kinds
from controller.local.api.server import Server
from dataplane.kube.resource import LEASES
from dataplane.kube.watch import watch
from tests.apiserverfixture import ROOT
from tests.controlplane import PATIENCE_S, SYSTEM, client_of


@contextmanager
def controller(folder: Path, pod: str, *names: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The process; killed at the end, if it still runs."""
    surroundings = {
        "PATH": os.environ["PATH"], "KUBECONFIG": str(folder / "kubeconfig"), "POD_NAME": pod,
        "LISTEN_HOST": "127.0.0.1", "GATE_PORT": "0", "STATS_PORT": "0", **environment,
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "controller", *names], cwd=ROOT, env=surroundings, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def lines(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stderr is not None
    return map(json.loads, process.stderr)


async def test_one_leads_and_another_takes_over_at_once(tmp_path: Path) -> None:
    server = Server(tmp_path, kinds=kinds(), namespaces=(SYSTEM,))
    async with server.running(), client_of(tmp_path_config(server, tmp_path), "tests") as client:
        with controller(tmp_path, "first") as first, controller(tmp_path, "second") as second:
            running = {"first": first, "second": second}
            holders = watch(client, LEASES, dict[str, Any], SYSTEM, fields="metadata.name=penstock-controller")
            seen: list[str] = []
            async for event in holders:
                for lease in getattr(event, "items", None) or [getattr(event, "item", None) or {}]:
                    holder = lease.get("spec", {}).get("holderIdentity", "").partition("_")[0]
                    if holder and holder not in seen:
                        seen.append(holder)
                        running[holder].send_signal(signal.SIGTERM)
                        taken = lease
                if len(seen) == 2:
                    break
            assert sorted(seen) == ["first", "second"]
            assert taken["spec"]["leaseTransitions"] >= 1
            for process in running.values():
                assert await wait(process) == 0


async def test_only_the_named_controllers_listen(tmp_path: Path) -> None:
    server = Server(tmp_path, kinds=kinds(), namespaces=(SYSTEM,))
    async with server.running():
        tmp_path_config(server, tmp_path)
        with controller(tmp_path, "p", "service", "podautoscaler") as process:
            told = await until(process, "gateways connect")
            assert "to port 0," in told["message"]
            assert told.keys() == {"severity", "timestamp", "logger", "message"}
            process.send_signal(signal.SIGTERM)
            assert await wait(process) == 0


async def test_an_api_server_that_is_away_is_named_and_waited_for(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "x", "users": [{"name": "x", "user": {}}],
            "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{nobody.getsockname()[1]}"}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        }  # fmt: skip
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        with controller(tmp_path, "p") as process:
            told = await until(process, "the API server cannot be asked")
            assert told["severity"] == "error"
            process.send_signal(signal.SIGTERM)
            assert await wait(process) == 0


async def test_wrong_settings_are_all_named_at_once(tmp_path: Path) -> None:
    with controller(tmp_path, "p", "servce", GATE_PORT="x", STATS_PORT="70000", LOG_LEVEL="loud") as process:
        assert await wait(process) == 2
        said = "\n".join(line["message"] for line in lines(process))
    for word in ('"servce"', "GATE_PORT", "STATS_PORT", "LOG_LEVEL"):
        assert word in said


async def test_without_a_kubeconfig_it_says_so(tmp_path: Path) -> None:
    with controller(tmp_path, "p", KUBECONFIG=str(tmp_path / "none"), HOME=str(tmp_path)) as process:
        assert await wait(process) == 1
        assert [line["severity"] for line in lines(process)] == ["error"]


def tmp_path_config(server: Server, folder: Path) -> Path:
    server.write_kubeconfig(folder / "kubeconfig")
    return folder / "kubeconfig"


async def wait(process: subprocess.Popen[str]) -> int:

    return await asyncio.to_thread(process.wait, PATIENCE_S)


async def until(process: subprocess.Popen[str], words: str) -> dict[str, Any]:
    """The first line that holds these words."""

    def read() -> dict[str, Any]:
        return next(line for line in lines(process) if words in line["message"])

    async with asyncio.timeout(PATIENCE_S):
        return await asyncio.to_thread(read)
