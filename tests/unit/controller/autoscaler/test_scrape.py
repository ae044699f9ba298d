"""Scraping: sizes of samples, old pods first, failures, the service where a mesh is between; real listeners."""

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import httpx2
import pytest

from controller.api.meta import timestamp
from controller.autoscaler.scrape import NoEndpoints, ScrapeError, Scraper, sample_size
from controller.autoscaler.scrapes import COLLECTED, FAILED, NO_ENDPOINTS, Scrapes
from dataplane.contract.stat import Stat
from tests.unit.controller.autoscaler.parts import pod

NOW_S = time.time()
SERVICE = "127.1.9.1"


class Sidecar:
    """Answers at an address of its own, on the sidecar's port."""

    def __init__(self, stat=None, status=200, kind="application/protobuf"):
        self.stat, self.status, self.kind, self.asked = stat or Stat(), status, kind, []

    def answer(self):
        return self.stat.encode()

    async def serve(self, reader, writer):
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
        body = self.answer()
        head = f"HTTP/1.1 {self.status} X\r\nContent-Type: {self.kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()


class Service(Sidecar):
    """Leads to one pod after the other."""

    def __init__(self, *stats):
        super().__init__()
        self.stats = list(stats)

    def answer(self):
        self.stats.append(self.stats.pop(0))
        return self.stats[-1].encode()


def stat(number, concurrency=2.0, proxied=0.0, uptime=1000.0):
    return Stat(
        pod_name=f"pod-{number}", average_concurrent_requests=concurrency,
        average_proxied_concurrent_requests=proxied, request_count=10.0, process_uptime=uptime,
    )  # fmt: skip


@asynccontextmanager
async def listening(monkeypatch, sidecars):
    """Sidecars by address, all on one free port that stands for theirs."""
    async with AsyncExitStack() as stack:
        port = 0
        for address, sidecar in sidecars.items():
            server = await asyncio.start_server(sidecar.serve, address, port)
            stack.callback(server.close)
            port = server.sockets[0].getsockname()[1]
        monkeypatch.setattr("controller.autoscaler.scrape.STATS_PORT", port or 1)
        http = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False))
        async with asyncio.timeout(20):
            yield Scraper(http, Random(1))


def address(number):
    return f"127.1.8.{number + 1}"


def there(count, age_s=1000.0):
    start = timestamp(NOW_S - age_s)
    return [pod(number, ip=address(number), start_time=start) for number in range(count)]


@pytest.mark.spec("SC-209")
@pytest.mark.parametrize(
    ("population", "size"),
    [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 4), (6, 5), (7, 6), (8, 6), (9, 6), (10, 7), (15, 8), (20, 9),
     (30, 11), (50, 12), (100, 14), (200, 15), (500, 15), (1000, 16), (10000, 16)],
)  # fmt: skip
def test_how_many_pods_speak_for_all(population, size):
    assert sample_size(population) == size


@pytest.mark.spec("SC-209")
async def test_a_sample_speaks_for_all(monkeypatch):
    sidecars = {address(n): Sidecar(stat(n, concurrency=float(n % 2) * 4, proxied=0.5)) for n in range(10)}
    async with listening(monkeypatch, sidecars) as scraper:
        found = await scraper.scrape(there(10), SERVICE, 60.0, NOW_S)
    asked = [sidecar for sidecar in sidecars.values() if sidecar.asked]
    assert len(asked) == 7
    assert found.average_concurrent_requests == pytest.approx(
        sum(one.stat.average_concurrent_requests for one in asked) / 7 * 10
    )
    assert (found.average_proxied_concurrent_requests, found.request_count) == pytest.approx((5.0, 100.0))
    assert found.pod_name == "service-scraper"
    assert "accept: application/protobuf\r\n" in asked[0].asked[0]


async def test_old_pods_are_asked_first_and_young_ones_fill_up(monkeypatch):
    sidecars = {address(n): Sidecar(stat(n)) for n in range(8)}
    pods = [*there(8)[:6], *there(8, age_s=5)[6:]]
    async with listening(monkeypatch, sidecars) as scraper:
        await scraper.scrape(pods, SERVICE, 60.0, NOW_S)
        assert [bool(sidecars[address(n)].asked) for n in range(8)] == [True] * 6 + [False] * 2
        pods = [*there(8)[:2], *there(8, age_s=5)[2:4]]
        await scraper.scrape(pods, SERVICE, 60.0, NOW_S)


@pytest.mark.parametrize(
    "broken",
    [Sidecar(status=500), Sidecar(kind="text/plain"), Sidecar(stat(0, uptime=1.0).but(pod_name="x" * 400))],
    ids=["status", "type", "size"],
)
async def test_another_pod_stands_in_for_one_that_fails_and_too_few_are_an_error(monkeypatch, broken):
    sidecars = {address(n): Sidecar(stat(n)) for n in range(5)} | {address(0): broken}
    async with listening(monkeypatch, sidecars) as scraper:
        found = await scraper.scrape(there(5), SERVICE, 60.0, NOW_S)
        assert found.average_concurrent_requests == 10
        with pytest.raises(ScrapeError, match="1 of 2 pods answered"):
            await scraper.scrape(there(2), SERVICE, 60.0, NOW_S)


@pytest.mark.spec("SC-210")
async def test_no_pod_is_no_error_loop(monkeypatch):
    async with listening(monkeypatch, {}) as scraper:
        with pytest.raises(NoEndpoints):
            await scraper.scrape([pod(0, ready=False)], SERVICE, 60.0, NOW_S)


@pytest.mark.spec("SC-209")
async def test_where_a_mesh_is_between_the_service_is_asked(monkeypatch):
    service = Service(stat(0), stat(0), stat(1), stat(2, uptime=3.0))
    sidecars = {address(n): Sidecar(status=503) for n in range(3)} | {SERVICE: service}
    async with listening(monkeypatch, sidecars) as scraper:
        for _ in range(2):
            found = await scraper.scrape(there(3), SERVICE, 60.0, NOW_S)
            assert found.average_concurrent_requests == 6
        assert len(sidecars[address(0)].asked) == 1


@pytest.mark.spec("SC-210")
async def test_revisions_are_asked_in_rhythm_and_changes_are_told(monkeypatch):
    monkeypatch.setattr("controller.autoscaler.scrapes.SCRAPE_S", 0.02)
    sidecar, pods, stats, told = Sidecar(stat(0)), there(1), asyncio.Queue(), asyncio.Queue()
    async with listening(monkeypatch, {address(0): sidecar}):
        scrapes = Scrapes(
            lambda name, one: stats.put_nowait((name, one)), told.put_nowait, lambda _name: pods, lambda: False
        )
        task = asyncio.create_task(scrapes.run())
        scrapes.keep("ns/a", SERVICE, 60.0, in_path=True)
        try:
            for _ in range(3):
                assert (await stats.get())[0] == "ns/a"
            assert await told.get() == "ns/a"
            assert scrapes.outcome("ns/a") == (COLLECTED, "")
            sidecar.status = 500
            await told.get()
            assert scrapes.outcome("ns/a")[0] == FAILED
            pods.clear()
            await told.get()
            assert scrapes.outcome("ns/a")[0] == NO_ENDPOINTS
            scrapes.forget("ns/a")
            assert scrapes.outcome("ns/a") is None
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_what_is_in_the_path_of_activators_that_report_is_not_asked(monkeypatch):
    monkeypatch.setattr("controller.autoscaler.scrapes.SCRAPE_S", 0.01)
    seen, unseen, pods = Sidecar(stat(0)), Sidecar(stat(1)), there(2)
    stats = asyncio.Queue()
    async with listening(monkeypatch, {address(0): seen, address(1): unseen}):
        pods_of = {"ns/served": pods[:1], "ns/proxied": pods[1:]}
        scrapes = Scrapes(lambda name, _stat: stats.put_nowait(name), lambda _: None, pods_of.get, lambda: True)
        scrapes.keep("ns/served", SERVICE, 60.0, in_path=False)
        scrapes.keep("ns/proxied", SERVICE, 60.0, in_path=True)
        task = asyncio.create_task(scrapes.run())
        try:
            assert [await stats.get() for _ in range(3)] == ["ns/served"] * 3
            assert unseen.asked == []
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
