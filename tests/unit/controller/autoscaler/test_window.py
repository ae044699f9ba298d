"""Windows: the golden averages of chapter 8.5, and what hypothesis finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.autoscaler.window import LINEAR, WEIGHTED_EXPONENTIAL, Window, panic_length

NOW_S = 1_700_000_000


def filled(length_s, values, weighting=LINEAR):
    window = Window(length_s, weighting)
    for second, value in enumerate(values):
        window.record(NOW_S + second, value)
    return window


@pytest.mark.spec("SC-182")
@pytest.mark.parametrize(
    ("length_s", "values", "linear", "weighted"),
    [
        (60, [10] * 60, 10.0, 9.999985),
        (6, [10, 10, 10, 10, 10, 100], 25.0, 80.609088),
        (60, [0] * 54 + [10] * 6, 1.0, 7.378560),
    ],
    ids=["G-63 steady", "G-64 jump", "G-65 start"],
)
def test_averages_of_full_windows(length_s, values, linear, weighted):
    last_s = NOW_S + len(values) - 1
    assert filled(length_s, values).average(last_s) == linear
    assert filled(length_s, values, WEIGHTED_EXPONENTIAL).average(last_s) == pytest.approx(weighted, abs=1e-6)


@pytest.mark.spec("SC-182")
@pytest.mark.parametrize(
    ("later_s", "average"), [(0, 3), (1, 3.5), (2, 4), (5, 0)], ids=["G-66", "G-67 one", "G-67 two", "G-68"]
)
def test_silence_shrinks_the_window(later_s, average):
    assert filled(5, [1, 2, 3, 4, 5]).average(NOW_S + 4 + later_s) == average


@pytest.mark.spec("SC-182")
@pytest.mark.parametrize(("zeros", "average"), [(10, 8.333333), (30, 5), (50, 1.666667), (59, 0.166667), (60, 0)])
def test_recorded_zeros_count(zeros, average):
    values = [10] * 60 + [0] * zeros
    assert filled(60, values).average(NOW_S + len(values) - 1) == average


@pytest.mark.spec("SC-182")
def test_reports_of_one_second_add_up():
    window = Window(60)
    for part, value in ((0.1, 5), (0.4, 7), (0.9, 8)):
        window.record(NOW_S + part, value)
    assert window.average(NOW_S + 0.95) == 20


@pytest.mark.spec("SC-182")
@pytest.mark.parametrize(
    ("stable_s", "percent", "panic_s"), [(60, 10, 6), (60, 51, 31), (10, 10, 1), (6, 1, 1), (600, 10, 60)]
)
def test_length_of_the_panic_window(stable_s, percent, panic_s):
    assert panic_length(stable_s, percent) == panic_s


@pytest.mark.spec("SC-182")
def test_a_window_is_empty_after_more_than_its_length():
    window = filled(6, [1])
    assert not window.is_empty(NOW_S + 6)
    assert window.is_empty(NOW_S + 7)
    assert Window(6).is_empty(NOW_S)


def test_late_reports_find_their_second_and_older_ones_are_ignored():
    window = filled(5, [1, 1, 1, 1, 1])
    window.record(NOW_S + 2, 5)
    window.record(NOW_S - 1, 100)
    assert window.average(NOW_S + 4) == 2


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 50)), min_size=1, max_size=60),
    st.integers(1, 20),
    st.integers(0, 25),
)
def test_the_ring_agrees_with_a_list(reports, length_s, later_s):
    window = Window(length_s)
    kept, first, last = {}, 0, None
    for at, value in reports:
        if last is None or at - last >= length_s:
            kept, first, last = {}, at, at
        elif at <= last - length_s:
            window.record(NOW_S + at, value)
            continue
        first, last = min(first, at), max(last, at)
        kept[at] = kept.get(at, 0) + value
        window.record(NOW_S + at, value)
    now = last + later_s
    if later_s >= length_s:
        expected = 0.0
    else:
        total = sum(value for at, value in kept.items() if at > now - length_s)
        expected = total / min(last - first + 1, length_s - later_s)
    assert window.average(NOW_S + now) == pytest.approx(expected, abs=1e-6)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.integers(1, 20), st.integers(1, 20))
def test_a_resized_window_keeps_the_newest_seconds(values, old_s, new_s):
    last_s = NOW_S + len(values) - 1
    kept = values[-min(old_s, new_s) :]
    assert filled(old_s, values).resized(new_s).average(last_s) == pytest.approx(sum(kept) / len(kept), abs=1e-6)
