"""The roster under real threads, while members come, go and refuse; `make sanitize` runs it with ThreadSanitizer."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from ext.testing.admission import LIMITS
from ext.testing.upstream import Stress

ROUNDS = 6


def balances(counts, members, unlimited):
    """The gate agrees with its members, and nobody waits beside a free slot."""
    capacity, running, waiting = counts
    if unlimited:
        is_open = any(is_in for is_in, _, _ in members)
        return capacity == (LIMITS["capacity_max"] if is_open else 0) and not (is_open and waiting)
    elsewhere = running - sum(there for _, _, there in members)
    out = sum(there for is_in, _, there in members if not is_in)
    slots = sum(most for is_in, most, _ in members if is_in)
    full = all(there == most for is_in, most, there in members if is_in)
    return elsewhere >= 0 and capacity == slots + out + elsewhere and (full or not waiting)


@pytest.mark.spec("DP-194", "DP-195", "DP-203", "DP-204")
@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("unlimited", [False, True], ids=["limited", "unlimited"])
def test_threads_lose_no_slot_while_members_come_and_go(workers, unlimited):
    stress = Stress(workers, unlimited)
    with ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(stress.run, number) for number in range(workers)]
        try:
            for _ in range(ROUNDS):
                stress.change(10)
                seen = stress.freeze()
                assert seen is not None, "tickets and slots never agreed"
                assert balances(*seen, unlimited), seen
                stress.work()
        finally:
            stress.stop()
        assert sum(future.result(timeout=30) for future in running) > ROUNDS
    assert stress.errors() == 0
