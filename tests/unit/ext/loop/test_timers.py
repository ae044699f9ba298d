"""Timers: each fires once, not before its time, whatever the order in which they are set and dropped."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ext.testing.loop import NS_OF_MS, Alarm, Wheel

DISTANCES_MS = st.one_of(
    st.integers(0, 600), st.integers(0, 70_000), st.integers(0, 20_000_000), st.integers(0, 1 << 33)
)


def ms(value: int) -> int:
    return value * NS_OF_MS


def test_an_alarm_fires_in_its_millisecond_and_not_before() -> None:
    wheel = Wheel(ms(5))
    Alarm(wheel, "a").set(ms(100))
    assert wheel.advance(ms(99)) == []
    assert wheel.advance(ms(100)) == ["a"]
    assert wheel.advance(ms(5000)) == []


def test_a_part_of_a_millisecond_counts_as_a_whole_one() -> None:
    wheel = Wheel(0)
    Alarm(wheel, "a").set(ms(7) + 1)
    assert wheel.advance(ms(7) + 1) == []
    assert wheel.advance(ms(8)) == ["a"]


def test_an_alarm_in_the_past_fires_in_the_next_millisecond() -> None:
    wheel = Wheel(ms(50))
    Alarm(wheel, "a").set(ms(10))
    assert wheel.advance(ms(50)) == []
    assert wheel.advance(ms(51)) == ["a"]


def test_setting_again_replaces_the_time() -> None:
    wheel = Wheel(0)
    alarm = Alarm(wheel, "a")
    alarm.set(ms(10))
    alarm.set(ms(1000))
    assert wheel.advance(ms(999)) == []
    assert wheel.advance(ms(1000)) == ["a"]


def test_a_dropped_alarm_never_fires() -> None:
    wheel = Wheel(0)
    alarm = Alarm(wheel, "a")
    alarm.set(ms(10))
    alarm.drop()
    assert not alarm.is_set
    assert wheel.advance(ms(20)) == []
    assert wheel.wait_ms(ms(20)) == -1


def test_an_alarm_may_drop_another_that_is_due_with_it() -> None:
    wheel = Wheel(0)
    second = Alarm(wheel, "second")
    first = Alarm(wheel, "first", lambda _: second.drop())
    first.set(ms(10))
    second.set(ms(10))
    assert wheel.advance(ms(10)) == ["first"]


def test_an_alarm_may_set_itself_again() -> None:
    wheel = Wheel(0)
    times = []

    def again(alarm: Alarm) -> None:
        times.append(1)
        if len(times) < 5:
            alarm.set(ms(10 * (len(times) + 1)))

    alarm = Alarm(wheel, "tick", again)
    alarm.set(ms(10))
    for now in range(0, 101, 5):
        wheel.advance(ms(now))
    assert len(times) == 5


@settings(max_examples=150, deadline=None)
@given(
    start=st.integers(0, 1 << 40), due=st.lists(DISTANCES_MS, max_size=30), steps=st.lists(DISTANCES_MS, max_size=30)
)
def test_whatever_the_steps_of_the_clock_alarms_fire_in_time(start: int, due: list[int], steps: list[int]) -> None:
    wheel = Wheel(ms(start))
    longest = (1 << 32) - 1
    left: dict[int, int] = {}
    for name, distance in enumerate(due):
        alarm = Alarm(wheel, name)
        alarm.set(ms(start + distance))
        left[name] = start + max(1, min(distance, longest))
    now = start
    for step in steps:
        now += step
        fired = wheel.advance(ms(now))
        assert sorted(fired) == sorted(name for name, at in left.items() if at <= now)
        left = {name: at for name, at in left.items() if at > now}


@settings(max_examples=150, deadline=None)
@given(start=st.integers(0, 1 << 40), due=st.lists(DISTANCES_MS, min_size=1, max_size=20))
def test_sleeping_as_long_as_the_wheel_allows_is_never_late(start: int, due: list[int]) -> None:
    wheel = Wheel(ms(start))
    left = {}
    for name, distance in enumerate(due):
        alarm = Alarm(wheel, name)
        alarm.set(ms(start + distance))
        left[name] = start + max(1, min(distance, (1 << 32) - 1))
    now = start
    for _ in range(200):
        wait = wheel.wait_ms(ms(now))
        if wait < 0:
            break
        now += wait
        for name in wheel.advance(ms(now)):
            assert left.pop(name) == now, "it fires in its own millisecond"
        assert all(at > now for at in left.values())
        if wait == 3_600_000:
            break
    else:
        assert left
