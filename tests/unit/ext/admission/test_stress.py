"""The limiter under real threads; `make sanitize` runs it with ThreadSanitizer."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ext.testing.admission import Stress

ROUNDS = 6


@pytest.mark.spec("DP-084", "DP-095")
@pytest.mark.parametrize(
    ("workers", "capacity", "waiting_max"),
    [
        pytest.param(2, 1, 10, id="one-slot"),
        pytest.param(4, 3, 30, id="four-workers"),
        pytest.param(8, 2, 5, id="room-too-small"),
    ],
)
def test_threads_lose_no_slot_and_leave_nobody_waiting_beside_one(workers, capacity, waiting_max):
    stress = Stress(workers, capacity, waiting_max)
    with ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(stress.run, number) for number in range(workers)]
        try:
            for _ in range(ROUNDS):
                stress.resize(10)
                counts = stress.freeze()
                assert counts is not None, "tickets and slots never agreed"
                assert counts[0] == capacity
                assert counts[1] == capacity or counts[2] == 0
                stress.work()
        finally:
            stress.stop()
        assert sum(future.result(timeout=30) for future in running) > ROUNDS
    assert stress.errors() == 0
