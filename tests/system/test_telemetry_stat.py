"""Statistics port of the real sidecar: what the autoscaler reads each second (spec 1.13)."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from dataplane.contract.stat import Stat, decode
from tests.sidecarfixture import STATS_PORT, Sidecar
from tests.waiting import until

HEALTH = ("User-Agent: kube-probe/1.34", "K-Network-Probe: queue")
NETWORK = ("K-Network-Probe: probe", "K-Network-Hash: h")


class Windows:
    """Completed windows of a sidecar, one after the other."""

    def __init__(self, sidecar: Sidecar) -> None:
        self.sidecar = sidecar
        self.last = self.scrape()

    def scrape(self) -> Stat:
        return decode(self.sidecar.get("/metrics", port=STATS_PORT).body)

    def next(self) -> Stat:
        """The next window that ends from now on."""

        def newer() -> Stat | None:
            stat = self.scrape()
            return stat if stat.process_uptime != self.last.process_uptime else None

        self.last = until(newer, "a window has ended")
        return self.last

    def all(self, count: int) -> list[Stat]:
        return [self.next() for _ in range(count)]


@pytest.mark.spec("DP-119", "DP-120")
def test_before_the_first_window_there_is_only_the_name(sidecar):
    s = sidecar(SERVING_POD="p-1")
    answer = s.get("/metrics", "Accept: text/plain", port=STATS_PORT)
    assert answer.status == 200
    assert answer.body == b"\x0a\x03p-1"
    assert answer.head.get("Content-Type") == b"application/protobuf"


@pytest.mark.spec("DP-122", "DP-130", "DP-132", "DP-134")
def test_an_idle_pod_and_one_that_is_only_probed_send_name_and_uptime_alone(sidecar):
    s = sidecar(SERVING_POD="p-1")
    windows = Windows(s)
    first = windows.next()
    assert s.get("/", *HEALTH).status == 200
    assert s.get("/", *NETWORK).status == 200
    second, third = windows.all(2)
    assert len(s.get("/metrics", port=STATS_PORT).body) == 5 + 9
    assert [one.request_count for one in (first, second, third)] == [0, 0, 0]
    assert [one.average_concurrent_requests for one in (second, third)] == [0, 0]
    assert third.pod_name == second.pod_name == first.pod_name == "p-1"
    assert 0.5 < (third.process_uptime - first.process_uptime) / 2 < 2


@pytest.mark.spec("DP-123", "DP-126")
def test_the_longest_name_and_full_figures_fit_into_what_the_autoscaler_reads(sidecar, origin):
    hold = origin.holds("/held")
    s = sidecar(SERVING_POD="p" * 253)
    windows = Windows(s)
    with s.connect() as line:
        line.send(b"GET /held HTTP/1.1\r\nHost: a\r\nK-Proxy-Request: activator\r\n\r\n")
        hold.until_reached()
        windows.all(2)  # the first may have ended before the request came
        body = s.get("/metrics", port=STATS_PORT).body
        hold.finish()
        line.head()
    stat = decode(body)
    assert stat.average_proxied_concurrent_requests > 0
    assert stat.pod_name == "p" * 253
    assert len(body) <= 336


@pytest.mark.spec("DP-125", "DP-126", "DP-127")
@pytest.mark.parametrize(("said", "is_proxied"), [("activator", True), ("other", False)])
def test_a_request_over_three_windows_is_one_in_each_and_counted_once(sidecar, origin, said, is_proxied):
    hold = origin.holds("/held")
    s = sidecar()
    windows = Windows(s)
    windows.next()
    with s.connect() as line:
        line.send(f"GET /held HTTP/1.1\r\nHost: a\r\nK-Proxy-Request: {said}\r\n\r\n".encode())
        hold.until_reached()
        found = windows.all(4)
        hold.finish()
        line.head()
    assert [one.average_concurrent_requests for one in found[1:]] == pytest.approx([1, 1, 1])
    assert [one.request_count for one in found] == [1, 0, 0, 0]
    assert [one.proxied_request_count for one in found] == [int(is_proxied), 0, 0, 0]
    assert [one.average_proxied_concurrent_requests for one in found[1:]] == pytest.approx([int(is_proxied)] * 3)


@pytest.mark.spec("DP-124")
def test_concurrency_is_the_time_in_flight(sidecar, origin):
    hold = origin.holds("/held")
    s = sidecar()
    windows = Windows(s)
    before = windows.next()
    began = time.monotonic()
    with s.connect() as one, s.connect() as two:
        for line in (one, two):
            line.send(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        hold.until_reached()
        hold.until_reached()
        found = [windows.next()]
        hold.finish()
        one.head()
        two.head()
    held_s = time.monotonic() - began
    found += windows.all(1)
    uptimes = [one.process_uptime for one in (before, *found)]
    spans = [after - ahead for ahead, after in pairwise(uptimes)]
    in_flight_s = sum(one.average_concurrent_requests * span for one, span in zip(found, spans, strict=True))
    assert sum(one.request_count for one in found) == 2
    assert 0 < in_flight_s <= 2 * held_s


@pytest.mark.spec("DP-128", "DP-129")
def test_waiting_requests_are_in_flight_and_refused_ones_are_counted(sidecar, origin):
    hold = origin.holds("/held")
    s = sidecar(CONTAINER_CONCURRENCY="1")
    windows = Windows(s)
    windows.next()
    lines = [s.send("GET /held") for _ in range(11)]
    hold.until_reached()
    found = windows.all(1)
    refused = s.get("/held")
    found += windows.all(2)
    hold.finish()
    assert [line.head().status for line in lines] == [200] * 11
    for line in lines:
        line.close()
    assert refused.status == 503
    assert found[-1].average_concurrent_requests == pytest.approx(11)
    assert sum(one.request_count for one in found) == 12


@pytest.mark.spec("DP-131")
def test_two_scrapes_of_one_window_are_the_same_bytes(sidecar):
    s = sidecar()
    windows = Windows(s)
    s.get("/")
    windows.next()
    with s.connect(STATS_PORT) as line:
        line.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        first, second = line.answer().body, line.answer().body
    assert first == second
    assert decode(first).process_uptime > 0
