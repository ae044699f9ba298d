"""Bursts: a handful of requests at once, more than the limit, and then silence."""

from __future__ import annotations

import gevent  # type: ignore[import-untyped]
from locust import FastHttpUser, between, task

AT_ONCE = 20


class BurstUser(FastHttpUser):
    """Asks for twenty pieces of work together, so that some of them have to queue."""

    wait_time = between(0.5, 1.5)
    concurrency = AT_ONCE

    @task
    def burst(self) -> None:
        """Twenty requests of 20 ms each; all must be answered."""
        gevent.joinall([gevent.spawn(self.client.get, "/takes/20", name="/takes (burst)") for _ in range(AT_ONCE)])
