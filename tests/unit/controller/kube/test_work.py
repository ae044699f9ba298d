"""The queue of keys: each once, one at a time, again after failures."""

import asyncio

import uvloop

from controller.kube.work import PAUSE_MIN_S, WorkQueue


async def test_a_key_waits_once_however_often_it_is_added():
    queue = WorkQueue()
    for key in ("a", "b", "a"):
        queue.add(key)
    assert [await queue.take(), await queue.take()] == ["a", "b"]
    resting = asyncio.ensure_future(queue.idle())
    queue.done("a")
    await asyncio.sleep(0)
    assert not resting.done()
    queue.done("b")
    async with asyncio.timeout(5):
        await resting


async def test_a_key_in_work_comes_again_afterwards_and_not_meanwhile():
    queue = WorkQueue()
    queue.add("a")
    assert await queue.take() == "a"
    queue.add("a")
    waiting = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.done("a")
    assert await waiting == "a"


async def test_pauses_grow_and_begin_anew_after_success():
    queue = WorkQueue()
    pauses = []
    for _ in range(3):
        queue.add("a")
        await queue.take()
        pauses.append(queue.failed("a"))
    assert pauses == [PAUSE_MIN_S, 2 * PAUSE_MIN_S, 4 * PAUSE_MIN_S]
    assert await queue.take() == "a"
    queue.done("a")
    queue.add("a")
    await queue.take()
    assert queue.failed("a") == PAUSE_MIN_S
    queue.close()


async def test_the_earlier_of_two_timers_counts():
    queue = WorkQueue()
    queue.add_after("a", 60)
    queue.add_after("a", 0.001)
    queue.add_after("a", 60)
    async with asyncio.timeout(5):
        assert await queue.take() == "a"
    queue.close()


def test_wishes_for_now_may_come_twice_on_uvloop():
    """Its handle of a call that is due already has no time."""

    async def twice():
        queue = WorkQueue()
        queue.add_after("a", 0)
        queue.add_after("a", 0)
        async with asyncio.timeout(10):
            return await queue.take()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(twice()) == "a"
