"""The arithmetic of concurrency over time (chapter 1.13)."""

import threading

import pytest

from ext.testing.stats import Busy

S = 1_000_000_000


class Windows:
    """What a reader makes of it: the figures of the time since it last looked."""

    def __init__(self, busy):
        self.busy = busy
        self.last = self.look(0)

    def look(self, now_ns):
        changed_ns, running, proxied, running_ns, proxied_ns, arrived, arrived_proxied = self.busy.read()
        passed = now_ns - changed_ns
        return now_ns, running_ns + running * passed, proxied_ns + proxied * passed, arrived, arrived_proxied

    def close(self, now_ns):
        """(mean in flight, mean proxied, arrivals, proxied arrivals)"""
        now = self.look(now_ns)
        elapsed, running, proxied, arrived, arrived_proxied = (a - b for a, b in zip(now, self.last, strict=True))
        self.last = now
        return running / elapsed, proxied / elapsed, arrived, arrived_proxied


@pytest.mark.spec("DP-124")
def test_two_halves_of_a_second_are_one_request_in_flight():
    busy = Busy(0)
    windows = Windows(busy)
    busy.arrive(0)
    busy.leave(S // 2)
    busy.arrive(S // 2)
    busy.leave(S)
    assert windows.close(S) == (1.0, 0.0, 2, 0)


@pytest.mark.spec("DP-125")
def test_one_request_over_three_windows_arrives_once():
    busy = Busy(0)
    windows = Windows(busy)
    busy.arrive(0)
    assert [windows.close(second * S) for second in (1, 2, 3)] == [
        (1.0, 0.0, 1, 0), (1.0, 0.0, 0, 0), (1.0, 0.0, 0, 0),
    ]  # fmt: skip
    busy.leave(3 * S)
    assert windows.close(4 * S) == (0.0, 0.0, 0, 0)


@pytest.mark.spec("DP-126", "DP-127")
def test_proxied_requests_count_in_both_figures():
    busy = Busy(0)
    windows = Windows(busy)
    busy.arrive(0, proxied=True)
    busy.arrive(0)
    busy.leave(S // 2, proxied=True)
    assert windows.close(S) == (1.5, 0.5, 2, 1)
    busy.leave(S)
    assert windows.close(2 * S) == (0.0, 0.0, 0, 0)


@pytest.mark.spec("DP-133")
def test_a_clock_that_steps_back_adds_nothing():
    busy = Busy(0)
    busy.arrive(10 * S)
    busy.arrive(4 * S)
    busy.leave(3 * S)
    changed_ns, running, _, running_ns, _, arrived, _ = busy.read()
    assert (changed_ns, running, running_ns, arrived) == (10 * S, 1, 0, 2)
    busy.leave(11 * S)
    assert busy.read()[3] == S


def test_a_reader_never_meets_half_a_change():
    busy = Busy(0)
    done = threading.Event()
    torn = []

    def watch():
        while not done.is_set():
            changed_ns, running, proxied, running_ns, proxied_ns, arrived, arrived_proxied = busy.read()
            if (running, running_ns, arrived) != (proxied, proxied_ns, arrived_proxied) or running_ns != (
                changed_ns + 1
            ) // 2:
                torn.append(changed_ns)

    reader = threading.Thread(target=watch)
    reader.start()
    busy.spin(300_000)
    done.set()
    reader.join()
    assert torn == []
    assert busy.read() == (299_999, 0, 0, 150_000, 150_000, 150_000, 150_000)
