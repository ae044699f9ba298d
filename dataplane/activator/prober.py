"""Prober: asks sidecars whether they serve, over HTTP/1.1 in cleartext (2.7, DP-206)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from dataplane.contract.headers import ACTIVATOR_AGENT, NETWORK_PROBE, PROBE_QUEUE

from .backends import Address, Outcome, text_of

HEAD_BYTES_MAX = 16 * 1024
MESH_STATUSES = (502, 503)
OK = 200


class Prober:
    """Probes of one revision. All of a round share one deadline.

    passes_as  the private Service's name and namespace where a mesh lets pods be called under it; else empty
    """

    def __init__(self, timeout_s: float, passes_as: str = "") -> None:
        self._timeout_s = timeout_s
        self.passes_as = passes_as

    async def round(self, addresses: Iterable[Address]) -> dict[Address, Outcome]:
        """What came of each, after the deadline at the latest."""
        tasks = {address: asyncio.create_task(self._ask(address)) for address in addresses}
        try:
            await asyncio.wait(tasks.values(), timeout=self._timeout_s)
            return {address: task.result() if task.done() else Outcome() for address, task in tasks.items()}
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def _ask(self, address: Address) -> Outcome:
        try:
            reader, writer = await asyncio.open_connection(*address, limit=HEAD_BYTES_MAX)
        except OSError:
            return Outcome()
        try:
            writer.write(self._request(address))
            status, body = await _answer(reader)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            return Outcome()
        finally:
            writer.close()
        is_healthy = status == OK and body == PROBE_QUEUE.encode()
        return Outcome(is_healthy=is_healthy, is_not_mesh=status not in MESH_STATUSES)

    def _request(self, address: Address) -> bytes:
        lines = [
            "GET /healthz HTTP/1.1",
            f"Host: {self.passes_as or text_of(address)}",
            f"User-Agent: {ACTIVATOR_AGENT}",
            f"{NETWORK_PROBE}: {PROBE_QUEUE}",
            *(["K-Passthrough-Lb: true"] if self.passes_as else []),
            "Connection: close",
        ]
        return "\r\n".join([*lines, "", ""]).encode()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body, of which no more is read than it takes to know whether it is the expected one.

    Raises  ValueError for what is no answer, EOFError for one that is cut.
    """
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    version, _, rest = first.partition(b" ")
    if not version.startswith(b"HTTP/1."):
        raise ValueError("no HTTP/1")
    fields = {
        name.strip().lower(): value.strip().lower() for name, _, value in (line.partition(b":") for line in lines)
    }
    status = int(rest[:3])
    if fields.get(b"transfer-encoding") == b"chunked":
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        body = await reader.readexactly(min(size, HEAD_BYTES_MAX))
        if size and (await reader.readexactly(2), await reader.readuntil(b"\r\n"))[1].strip() != b"0":
            body += b"..."
        return status, body
    if b"content-length" in fields:
        return status, await reader.readexactly(min(int(fields[b"content-length"]), HEAD_BYTES_MAX))
    return status, await reader.read(HEAD_BYTES_MAX)
