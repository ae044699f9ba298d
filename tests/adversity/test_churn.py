"""Churn: many callers at once that stay, leave early, or send rubbish, while limits and plans change."""

from __future__ import annotations

import contextlib
import random
import threading
import time

import pytest

from tests.origin import HELLO, Call, Origin
from tests.proxyfixture import Proxy, request_bytes

SECONDS = 2.0


def slow(call: Call) -> None:
    call.body()
    time.sleep(0.002)  # work: without it nobody waits in line
    call.finish(HELLO)


def careless(p: Proxy, seed: int, end: float, good: list[int], problems: list[BaseException]) -> None:
    """One caller after the other; every fourth stays for its answer."""
    dice = random.Random(seed)
    while time.monotonic() < end:
        try:
            stays = dice.random() < 0.25
            line = p.connect()
            body = b"b" * dice.choice([0, 0, 10, 50_000])
            data = request_bytes("POST /slow" if body else "GET /slow", body=body)
            if stays:
                line.send(data)
                answer = line.answer()
                assert answer.status in (200, 503), answer
                good[seed] += 1
            else:
                with contextlib.suppress(OSError):
                    line.send(dice.choice([data, data[: dice.randrange(len(data))], b"\x00\x16rubbish\r\n\r\n"]))
                    time.sleep(dice.random() * 0.01)  # leaves at any moment of what it began
            dice.choice([line.close, line.reset])()
        except BaseException as problem:
            problems.append(problem)
            return


@pytest.mark.spec("DP-090", "DP-093")
@pytest.mark.parametrize("workers", [1, 2])
def test_no_slot_is_lost_under_churn(proxy, origin: Origin, workers):
    origin.runs("/slow", slow)
    p = proxy(running_max=3, waiting_max=20, workers=workers, linger_timeout_ns=200_000_000)
    end = time.monotonic() + SECONDS
    good = [0] * 16
    problems: list[BaseException] = []
    threads = [threading.Thread(target=careless, args=(p, seed, end, good, problems)) for seed in range(16)]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        p.apply(running_max=random.choice([1, 2, 3, 5]))
        with p.saying(request_bytes("GET /slow")) as line:
            line.answer()  # each plan has served something before the next one comes
    for thread in threads:
        thread.join()
    assert problems == []
    assert all(good)
    p.apply(running_max=3)
    p.until(pending=0, load=0, conns=0, buffers=0)
    assert p.get("/after").body == b"hello"


def test_abandoned_load_leaves_nothing(proxy, origin: Origin):
    """Callers that give up long before the app answers: every place and slot comes back each time."""
    held = origin.holds("/never")
    p = proxy(running_max=2, waiting_max=50)
    for round_ in range(20):
        lines = [p.connect() for _ in range(40)]
        for line in lines:
            line.send(request_bytes("GET /never"))
        p.until(pending=40)
        for i, line in enumerate(lines):
            (line.close if (i + round_) % 2 else line.reset)()
        p.until(pending=0, load=0, conns=0)
    held.finish()
    assert p.get("/after").body == b"hello"
