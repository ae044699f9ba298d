"""gRPC: unary calls and streams in both directions on one channel."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped]
import grpc.experimental.gevent  # type: ignore[import-untyped]
from locust import User, between, task

from loadtests.users.timed import timed

grpc.experimental.gevent.init_gevent()

MESSAGE = b"x" * 1024
COUNT = 10


class GrpcUser(User):
    """Calls an echo; every message must come back."""

    wait_time = between(0.01, 0.1)
    channel: Any = None

    def on_start(self) -> None:
        """One channel for each user, never shared, as each stands for one client."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(urlsplit(str(self.host)).netloc, options)

    @task(4)
    def unary(self) -> None:
        """One message there and back."""
        with timed(self.environment, "gRPC", "unary") as outcome:
            answer = self.channel.unary_unary("/load.Echo/Unary")(MESSAGE, timeout=30)
            outcome.length_bytes = len(answer)
            if answer != MESSAGE:
                raise ConnectionError(f"{len(answer)} of {len(MESSAGE)} bytes came back")

    @task(1)
    def both_ways(self) -> None:
        """Ten messages each way on one stream."""
        with timed(self.environment, "gRPC", "stream both ways") as outcome:
            call = self.channel.stream_stream("/load.Echo/Stream")
            answers = list(call(iter([MESSAGE] * COUNT), timeout=30))
            outcome.length_bytes = sum(map(len, answers))
            if len(answers) != COUNT:
                raise ConnectionError(f"{len(answers)} of {COUNT} messages came back")

    def on_stop(self) -> None:
        """Closes the channel."""
        self.channel.close()
