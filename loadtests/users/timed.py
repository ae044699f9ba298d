"""Timed: reports to locust what a user did without locust's own HTTP client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from locust.env import Environment


class Outcome:
    """What the block found out about its exchange."""

    length_bytes = 0


@contextmanager
def timed(environment: Environment, kind: str, name: str) -> Iterator[Outcome]:
    """Times the block as one request; any exception in it is a failed one and goes no further."""
    outcome = Outcome()
    began = time.perf_counter()
    failure: Exception | None = None
    try:
        yield outcome
    except Exception as e:
        failure = e
    environment.events.request.fire(  # type: ignore[no-untyped-call]
        request_type=kind,
        name=name,
        response_time=(time.perf_counter() - began) * 1000,
        response_length=outcome.length_bytes,
        exception=failure,
        context={},
    )
