"""Keepalive: steady small requests on connections that stay."""

from __future__ import annotations

from typing import Any

from locust import FastHttpUser, between, task

# locust takes bytes, its annotation knows only text and forms
BODY: Any = b"x" * 512


class KeepaliveUser(FastHttpUser):
    """Reads mostly, writes a little, thinks for some milliseconds."""

    wait_time = between(0.005, 0.05)

    @task(9)
    def read(self) -> None:
        """A small GET."""
        self.client.get("/")

    @task(1)
    def write(self) -> None:
        """A small POST."""
        self.client.post("/upload", data=BODY)
