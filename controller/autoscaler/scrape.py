"""Scrape: asks sidecars for their records, where requests reach them without an activator that reports (SC 1.2).

Some pods speak for all, the old ones first. Pods are asked directly; where a
mesh lets nobody do that, their service is asked, until enough of them have
answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from http import HTTPStatus
from math import ceil
from random import Random

import httpx2

from controller.api.core import Pod
from dataplane.contract.ports import STATS_PORT
from dataplane.contract.stat import STAT_BYTES_MAX, Stat, decode

from .pods import parsed

TIMEOUT_S = 3.0
ACCEPT = "application/protobuf"
CERTAINTY = 15.3664
"""1.96 squared, times a variance of 100, by a tolerance of 5 requests squared."""

ALL_MAX = 3
"""So few pods are asked all."""

TRIES = 10
"""Of one worker that asks the service, until it meets a pod that nobody has met."""

SPEAKER = "service-scraper"
MESH = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE)


class ScrapeError(Exception):
    """There is no record; the message says why."""


class NoEndpoints(ScrapeError):
    """No pod is ready."""


class MaybeMesh(ScrapeError):
    """A proxy in between has answered."""


def sample_size(population: int) -> int:
    """Pods that speak for so many."""
    if population <= ALL_MAX:
        return population
    return ceil(population * CERTAINTY / (population + CERTAINTY - 1))


class Scraper:
    """One revision."""

    def __init__(self, http: httpx2.AsyncClient, random: Random | None = None) -> None:
        self._http = http
        self._random = random or Random()
        self._by_service = False

    async def scrape(self, pods: Iterable[Pod], service: str, window_s: float, now_s: float) -> Stat:
        """One record for all pods.

        service   HOST of the service whose pods they are
        window_s  a pod that is younger is asked only where there are too few older ones

        Raises  NoEndpoints, ScrapeError.
        """
        ready = [pod for pod in pods if pod.is_ready]
        if not ready:
            raise NoEndpoints("no endpoints: no pod is ready")
        size = sample_size(len(ready))
        if not self._by_service:
            try:
                found = await self._ask_pods(self._ordered(ready, size, window_s, now_s), size)
                return _for_all(found, len(ready))
            except MaybeMesh:
                self._by_service = True
        return _for_all(await self._ask_service(service, size, window_s), len(ready))

    def _ordered(self, ready: list[Pod], size: int, window_s: float, now_s: float) -> list[Pod]:
        old = [pod for pod in ready if now_s - parsed(pod.status.start_time) >= window_s]
        young = [pod for pod in ready if now_s - parsed(pod.status.start_time) < window_s]
        self._random.shuffle(young)
        if len(old) < size:
            return old + young
        self._random.shuffle(old)
        return old

    async def _ask_pods(self, pods: list[Pod], size: int) -> list[Stat]:
        left, errors = iter(pods), []

        async def work() -> Stat | None:
            for pod in left:
                ip = pod.status.pod_ip
                try:
                    return await self._ask(f"[{ip}]" if ":" in ip else ip)
                except ScrapeError as error:
                    errors.append(error)
            return None

        found = [one for one in await asyncio.gather(*(work() for _ in range(size))) if one is not None]
        if len(found) < size:
            is_mesh = not found and all(isinstance(error, MaybeMesh) for error in errors)
            raise (MaybeMesh if is_mesh else ScrapeError)(f"{len(found)} of {size} pods answered: {errors[-1]}")
        return found

    async def _ask_service(self, service: str, size: int, window_s: float) -> list[Stat]:
        """Each connection is a new one, so that it may lead to another pod."""
        seen: set[str] = set()

        async def work() -> Stat | None:
            spare = None
            for _ in range(TRIES):
                try:
                    stat = await self._ask(service)
                except ScrapeError:
                    continue
                if stat.pod_name in seen:
                    continue
                if stat.process_uptime >= window_s:
                    seen.add(stat.pod_name)
                    return stat
                spare = stat
            if spare is None or spare.pod_name in seen:
                return None
            seen.add(spare.pod_name)
            return spare

        found = [one for one in await asyncio.gather(*(work() for _ in range(size))) if one is not None]
        if len(found) < size:
            raise ScrapeError(f"{len(found)} of {size} pods answered at {service}")
        return found

    async def _ask(self, host: str) -> Stat:
        headers = {"Accept": ACCEPT, "Connection": "close"}
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._http.stream("GET", f"http://{host}:{STATS_PORT}/metrics", headers=headers) as answer,
            ):
                if answer.status_code in MESH:
                    raise MaybeMesh(f"{host} answers {answer.status_code}")
                if not answer.is_success:
                    raise ScrapeError(f"{host} answers {answer.status_code}")
                if not answer.headers.get("Content-Type", "").startswith(ACCEPT):
                    raise ScrapeError(f"{host} answers with {answer.headers.get('Content-Type')}")
                return decode(await _body(answer))
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError) as error:
            raise ScrapeError(f"{host}: {error or 'no answer in time'}") from error


async def _body(answer: httpx2.Response) -> bytes:
    body = b""
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > STAT_BYTES_MAX:
            raise ValueError(f"the record has more than {STAT_BYTES_MAX} bytes")
    return body


def _for_all(found: list[Stat], population: int) -> Stat:
    """The mean of what was found, times all pods."""

    def total(value: Callable[[Stat], float]) -> float:
        return sum(map(value, found)) / len(found) * population

    return Stat(
        pod_name=SPEAKER,
        average_concurrent_requests=total(lambda stat: stat.average_concurrent_requests),
        average_proxied_concurrent_requests=total(lambda stat: stat.average_proxied_concurrent_requests),
        request_count=total(lambda stat: stat.request_count),
        proxied_request_count=total(lambda stat: stat.proxied_request_count),
    )
