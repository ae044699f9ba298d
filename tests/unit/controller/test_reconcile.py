"""The shape of a controller: failures are tried again, and end nothing."""

import asyncio
import logging

import pytest

from controller.reconcile import Controller, run_all
from dataplane.kube.errors import Conflict, KubeError


async def until_calls(reconcile, *keys):
    """Runs a controller until the reconciler says that it has seen enough."""
    controller = Controller("thing", reconcile)
    for key in keys:
        controller.queue.add(key)
    task = asyncio.create_task(controller.run())
    try:
        async with asyncio.timeout(5):
            await reconcile.enough.wait()
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


class Script:
    """A reconciler that fails as told, one outcome for each call."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.seen = []
        self.enough = asyncio.Event()

    async def __call__(self, key):
        self.seen.append(key)
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            self.enough.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def test_what_fails_is_tried_again(caplog):
    caplog.set_level(logging.WARNING)
    script = Script(KubeError(500, "", "etcd is away"), Conflict(409, "", "changed"), ValueError("defect"), None)
    await until_calls(script, ("ns", "a"))
    assert script.seen == [("ns", "a")] * 4
    assert "thing ns/a: etcd is away" in caplog.text
    assert "changed" not in caplog.text
    assert "a defect" in caplog.text


async def test_a_reconciler_is_called_again_when_it_asks_to():
    script = Script(0.001, None)
    await until_calls(script, ("ns", "a"))
    assert script.seen == [("ns", "a")] * 2


async def test_the_end_of_one_is_the_end_of_all():
    ended = []

    async def lasting():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def failing():
        await asyncio.sleep(0)
        raise RuntimeError("over")

    with pytest.raises(RuntimeError):
        await run_all(lasting(), failing())
    assert ended == [True]
