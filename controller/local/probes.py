"""Probe: asks a container as kubelet does, by HTTP, TCP or a command, and says when its answer turns.

Source: Kubernetes, "Configure Liveness, Readiness and Startup Probes".
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dataplane.contract.headers import KUBELET_AGENT

from .process import Begin, Process, StartError

Object = dict[str, Any]

LOOPBACK = "127.0.0.1"
HEAD_BYTES_MAX = 64 << 10
FIRST_S = 0.001
"""Pause before the second try while something starts; it grows with the time that has passed."""
SHARE = 0.05
"""Of the time that a start has taken so far: the most that waiting between two tries adds to it."""
PAUSE_MAX_S = 0.1


class Place:
    """Where a container is asked.

    host   its address
    ports  its ports by name
    begin  how commands are started beside it
    local  a port that is asked on 127.0.0.1, as the app may listen there only; 0: none
    """

    def __init__(self, host: str, ports: Mapping[str, int], begin: Begin, local: int = 0) -> None:
        self.begin = begin
        self._host = host
        self._ports = ports
        self._local = local

    def port(self, said: int | str) -> int:
        """Raises ProbeError for a name that no port has."""
        if isinstance(said, int):
            return said
        if said not in self._ports:
            raise ProbeError(f'port "{said}" is not among the ports of the container')
        return self._ports[said]

    def target(self, handler: Object) -> tuple[str, int]:
        """Host and port of a handler. Raises ProbeError."""
        port = self.port(handler.get("port", 0))
        return handler.get("host") or (LOOPBACK if port == self._local else self._host), port


class ProbeError(Exception):
    """Why it failed, as a phrase."""


async def ask(handler: Object, place: Place, timeout_s: float) -> None:
    """One try of a probe or a hook. Raises ProbeError."""
    try:
        async with asyncio.timeout(timeout_s):
            if "exec" in handler:
                await _command(handler["exec"].get("command", ()), place)
            elif "httpGet" in handler:
                await _get(handler["httpGet"], place)
            elif "tcpSocket" in handler:
                await _connect(handler["tcpSocket"], place)
            elif "sleep" in handler:
                await asyncio.sleep(handler["sleep"].get("seconds", 0))
    except TimeoutError:
        raise ProbeError(f"no answer within {timeout_s:g} s") from None
    except OSError as error:
        raise ProbeError((error.strerror or str(error)).lower()) from None


async def watch(probe: Object, place: Place, told: Callable[[bool, str], None]) -> None:
    """Asks in the probe's rhythm until cancelled; `told` of every turn: whether it passes, and why not."""
    await asyncio.sleep(probe.get("initialDelaySeconds", 0))
    passes: bool | None = None
    run = 0
    last = False
    while True:
        why = await _why(probe, place)
        good = not why
        run = run + 1 if good == last else 1
        last = good
        needed = probe.get("successThreshold" if good else "failureThreshold") or (1 if good else 3)
        if run >= needed and passes is not good:
            passes = good
            told(good, why)
        await asyncio.sleep(probe.get("periodSeconds") or 10)


async def started(probe: Object, place: Place) -> str:
    """Returns when a startup probe passes: empty; or has failed too often: why."""
    await asyncio.sleep(probe.get("initialDelaySeconds", 0))
    why = ""
    for _ in range(probe.get("failureThreshold") or 3):
        why = await _why(probe, place)
        if not why:
            return ""
        await asyncio.sleep(probe.get("periodSeconds") or 10)
    return why


async def listens(address: str, port: int, within_s: float) -> bool:
    """Returns as soon as somebody listens there; False when nobody did in that time.

    Loopback answers a connection at once, so a try costs some microseconds, and
    the tries are so close that they add a twentieth to what is waited for.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not can_connect(address, port):
        passed = loop.time() - began
        if passed >= within_s:
            return False
        await asyncio.sleep(min(max(FIRST_S, passed * SHARE), PAUSE_MAX_S))
    return True


def can_connect(address: str, port: int) -> bool:
    """Never waits: on loopback the answer is there at once."""
    with socket.socket(socket.AF_INET) as probe:
        probe.setblocking(False)
        code = probe.connect_ex((address, port))
        if code == errno.EINPROGRESS:
            # By the time of the first return the other side has answered; the second one tells what.
            code = probe.connect_ex((address, port))
        return code in (0, errno.EISCONN)


async def _why(probe: Object, place: Place) -> str:
    try:
        await ask(probe, place, probe.get("timeoutSeconds") or 1)
    except ProbeError as wrong:
        return str(wrong)
    return ""


async def _connect(handler: Object, place: Place) -> None:
    _, writer = await asyncio.open_connection(*place.target(handler))
    writer.close()


async def _get(handler: Object, place: Place) -> None:
    """Any status from 200 to 399 will do; certificates are not verified, as kubelet does not."""
    host, port = place.target(handler)
    secure: ssl.SSLContext | None = None
    if handler.get("scheme", "HTTP").upper() == "HTTPS":
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        secure.check_hostname = False
        secure.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, port, ssl=secure, limit=HEAD_BYTES_MAX)
    try:
        fields = {"host": f"{host}:{port}", "user-agent": KUBELET_AGENT, "accept": "*/*", "connection": "close"}
        fields |= {row["name"].lower(): row.get("value", "") for row in handler.get("httpHeaders", ())}
        lines = [f"GET {handler.get('path') or '/'} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode("utf-8", "surrogateescape"))
        version, _, rest = (await reader.readline()).partition(b" ")
        code = rest.partition(b" ")[0].strip()
        if not version.startswith(b"HTTP/") or not code.isdigit():
            raise ProbeError("the answer is not HTTP/1")
        if not 200 <= int(code) < 400:
            raise ProbeError(f"status {int(code)}")
    except ValueError:
        raise ProbeError("the answer is not HTTP/1") from None
    finally:
        writer.close()


async def _command(command: list[str], place: Place) -> None:
    begin = Begin(command, place.begin.environment, place.begin.folder)
    try:
        process = Process.start(begin, Path(os.devnull))
    except StartError as wrong:
        raise ProbeError(str(wrong)) from None
    try:
        code = await asyncio.shield(process.ended)
    finally:
        with suppress(ProcessLookupError):
            process.signal(signal.SIGKILL)
    if code:
        raise ProbeError(f'"{subprocess.list2cmdline(command)}" ended with {code}')
