"""Uploads: large bodies up and down, with a length and chunked."""

from __future__ import annotations

from typing import Any

from locust import FastHttpUser, between, task

MIB = 1 << 20
# locust takes bytes and pieces, its annotation knows only text and forms
BODY: Any = b"x" * MIB


class UploadUser(FastHttpUser):
    """Sends and fetches 1 MiB."""

    wait_time = between(0.1, 0.5)

    @task(2)
    def with_length(self) -> None:
        """1 MiB up with Content-Length; the app must have read all of it."""
        with self.client.post("/upload", data=BODY, catch_response=True) as answer:
            if answer.text is None or answer.text.strip() != str(MIB):
                answer.failure(f"the app read {answer.text!r} of {MIB} bytes")

    @task(1)
    def chunked(self) -> None:
        """1 MiB up in chunks of 64 KiB."""

        def pieces() -> Any:
            for at in range(0, MIB, 65536):
                yield BODY[at : at + 65536]

        with self.client.post("/upload", data=pieces(), name="/upload (chunked)", catch_response=True) as answer:
            if answer.text is None or answer.text.strip() != str(MIB):
                answer.failure(f"the app read {answer.text!r} of {MIB} bytes")

    @task(1)
    def fetch(self) -> None:
        """1 MiB down."""
        with self.client.get("/large", catch_response=True) as answer:
            if len(answer.content or b"") != MIB:
                answer.failure(f"{len(answer.content or b'')} of {MIB} bytes came")
