"""Decisions: the golden numbers of chapters 8.1, 8.2 and 8.4."""

from dataclasses import replace

import pytest

from controller.autoscaler.decide import Load, Memory, Policy, activators_wanted, decide, first_excess, first_memory
from controller.autoscaler.target import RPS, Target, TargetDefaults, target_of

pytestmark = pytest.mark.spec("SC-182")

USUAL = Policy(target=Target(100.0, 70.0))


def with_target(value, total, **more):
    return replace(USUAL, target=Target(total, value), **more)


SINGLE = [
    ("G-01", 1, 50, 50, USUAL, 1, -161, False),
    ("G-02", 1, 71, 71, USUAL, 2, -182, True),
    ("G-03", 1, 140, 140, USUAL, 2, -251, True),
    ("G-04", 1, 141, 141, USUAL, 3, -252, True),
    ("G-05", 0, 1, 1, USUAL, 1, -212, False),
    ("G-06", 0, 1, 1, with_target(0.7, 1), 2, -212, True),
    ("G-07", 0, 1, 1, with_target(1, 1), 1, -212, False),
    ("G-08", 0, 1000, 1000, USUAL, 15, -1211, True),
    ("G-09", 10, 700, 690, USUAL, 10, 99, False),
    ("G-10", 10, 350, 350, USUAL, 5, 439, False),
    ("G-11", 10, 70, 70, USUAL, 5, 719, False),
    ("G-12", 10, 70, 70, replace(USUAL, reachable=False), 1, 719, False),
    ("G-13", 10, 0, 0, USUAL, 5, 789, False),
    ("G-14", 1, 0, 0, USUAL, 0, -111, False),
    ("G-15", 2, 3, 3, with_target(1, 1, burst_capacity=0, up_rate=1.1), 3, 0, False),
    ("G-16", 100, 1, 1, with_target(10, 10, burst_capacity=0, down_rate=1.1), 90, 0, False),
    ("G-17", 1, 1000, 1001, with_target(10, 100, burst_capacity=0, up_rate=10), 10, 0, True),
    ("G-18", 4, 700, 500, replace(USUAL, up_rate=1.5), 6, -311, True),
    ("G-19", 3, 100, 120, USUAL, 2, -31, False),
    ("G-20", 8, 560, 560, USUAL, 8, 29, False),
    ("G-21", 7, 490, 490, USUAL, 7, -1, False),
    ("G-22", 3, 90, 89, USUAL, 2, 0, False),
    ("G-23", 3, 90, 90, USUAL, 2, -1, False),
    ("G-24", 4, 20, 18.5, with_target(7, 10, burst_capacity=-1), 3, -1, False),
    ("G-25", 4, 20, 18.5, with_target(7, 10, burst_capacity=0), 3, 0, False),
    ("G-26", 2, 7, 7, with_target(7, 10, burst_capacity=7), 1, 6, False),
    ("G-27", 2, 12, 12, with_target(7, 10, burst_capacity=7), 2, 1, False),
    ("G-28", 1, 300, 300, with_target(140, 200), 3, -311, True),
    ("G-29", 0, 1, 1, with_target(4.2, 6, activation_scale=5), 5, -212, False),
    ("G-30", 10, 70, 0, replace(USUAL, activation_scale=8), 8, 789, False),
    ("G-31", 10, 0, 0, replace(USUAL, activation_scale=8), 5, 789, False),
    ("G-32", 0, 3, 3, with_target(0.7, 1, burst_capacity=200), 5, -203, True),
    ("G-33", 3, 25, 25, with_target(7, 10), 4, -206, False),
    ("G-34", 20, 700, 2730, USUAL, 10, -941, False),
    ("G-35", 20, 700, 2730.5, USUAL, 40, -942, True),
    ("G-36", 1, 63, 63, with_target(90 * 0.7, 90), 2, -184, True),
    ("G-37", 10, 750, 750, replace(USUAL, panic_threshold=1.1), 11, 39, True),
    ("G-38", 1, 600, 600, replace(USUAL, panic_threshold=10), 9, -711, False),
    ("G-39", 1, 0.5, 0, with_target(0.01, 1, burst_capacity=-1), 50, -1, False),
]


@pytest.mark.parametrize(
    ("ready", "stable", "panic", "policy", "pods", "excess", "panics"),
    [row[1:] for row in SINGLE],
    ids=[row[0] for row in SINGLE],
)
def test_a_single_decision(ready, stable, panic, policy, pods, excess, panics):
    decision, memory = decide(policy, Load(ready=ready, stable=stable, panic=panic), Memory(), 1000.0)
    assert (decision.pods, decision.excess, memory.panic_since_s is not None) == (pods, excess, panics)


def run(policy, memory, steps):
    """(pods, excess) of each step of (time, ready, stable, panic)."""
    outcome = []
    for at_s, ready, stable, panic in steps:
        decision, memory = decide(policy, Load(ready=ready, stable=stable, panic=panic), memory, at_s)
        outcome.append((decision.pods, decision.excess))
    return outcome


@pytest.mark.parametrize(
    ("pods", "rate", "way"),
    [(100, 2, [50, 25, 12, 6, 3, 1, 0]), (10, 1.5, [6, 4, 2, 1, 0])],
    ids=["halving", "by a third"],
)
@pytest.mark.spec("SC-186")
def test_idle_descent_takes_one_step_at_a_time(pods, rate, way):
    for expected in way:
        decision, _ = decide(replace(USUAL, down_rate=rate), Load(ready=pods, stable=0, panic=0), Memory(), 0.0)
        assert decision.pods == expected
        pods = decision.pods


@pytest.mark.spec("SC-185", "SC-213", "SC-184")
def test_a_panic_raises_holds_and_ends_strictly_after_the_stable_window():
    steps = [
        (0, 5, 200, 350),
        (2, 5, 210, 760),
        (4, 11, 230, 800),
        (10, 11, 300, 500),
        (30, 11, 420, 300),
        (62, 11, 350, 280),
        (63, 11, 340, 280),
        (68, 5, 0, 0),
    ]
    expected = [(3, -61), (11, -471), (12, 89), (12, 389), (12, 589), (12, 609), (5, 609), (2, 289)]
    assert run(USUAL, Memory(), steps) == expected


@pytest.mark.spec("SC-204")
def test_pods_found_at_the_start_are_kept_for_one_stable_window():
    policy = with_target(1, 1)
    assert [pods for pods, _ in run(policy, first_memory(10, 0), [(t, 10, 0, 0) for t in (2, 30, 60, 62)])] == [
        10,
        10,
        10,
        5,
    ]


def test_exponential_growth_is_followed():
    steps = [(t, r, s, s) for t, r, s in ((0, 1, 6), (2, 6, 36), (4, 36, 216), (6, 216, 1296), (8, 1296, 1296))]
    assert [pods for pods, _ in run(with_target(1, 1), Memory(), steps)] == [6, 36, 216, 1296, 1296]


@pytest.mark.parametrize(("stable", "pods"), [(50, 50), (20, 30)], ids=["G-44a", "G-44b"])
def test_in_a_panic_the_larger_average_wins(stable, pods):
    memory = Memory(panic_since_s=-5, panic_pods=5)
    assert run(with_target(1, 1), memory, [(0, 5, stable, 30)])[0][0] == pods


def test_leaving_a_panic_drops_to_the_stable_value():
    steps = [(0, 10, 11, 25), (30, 40, 30, 41), (62, 55, 50, 56)]
    assert [pods for pods, _ in run(with_target(1, 1), Memory(), steps)] == [25, 41, 50]


@pytest.mark.spec("SC-195")
@pytest.mark.parametrize(
    ("delay_s", "asked", "given"),
    [
        (10, [10, 3, 3, 3, 3, 3, 3], [10, 10, 10, 10, 10, 3, 3]),
        (3, [8, 2, 2, 2], [8, 8, 2, 2]),
    ],
    ids=["G-60", "G-61"],
)
def test_a_delay_keeps_the_highest_of_its_slots(delay_s, asked, given):
    policy = with_target(1, 1, delay_s=delay_s, down_rate=1000, panic_threshold=1e9)
    steps = [(2 * i, 10, pods, pods) for i, pods in enumerate(asked)]
    assert [pods for pods, _ in run(policy, Memory(), steps)] == given


def test_an_unreachable_revision_bypasses_the_delay():
    policy = with_target(1, 1, delay_s=10, reachable=False)
    assert [pods for pods, _ in run(policy, Memory(), [(0, 10, 10, 10), (2, 10, 0, 0)])] == [10, 0]


@pytest.mark.spec("SC-220")
@pytest.mark.parametrize(
    ("ready", "total", "burst", "capacity", "activators"),
    [
        (1, 100, 211, 100, 4),
        (0, 100, 211, 100, 3),
        (10, 100, 211, 100, 13),
        (10, 100, -1, 100, 10),
        (1, 100, -1, 100, 2),
        (50, 10, -1, 100, 5),
        (7, 100, 0, 100, 2),
        (3, 1, 211, 100, 3),
        (100, 1000, 211, 100, 1003),
    ],
)
def test_how_many_activators_a_revision_is_spread_over(ready, total, burst, capacity, activators):
    assert activators_wanted(ready, Target(total, total), burst, capacity) == activators


@pytest.mark.parametrize(("burst", "excess"), [(211, -111), (-1, -1), (0, 0)], ids=["G-58", "unlimited", "none"])
def test_spare_capacity_before_anything_was_measured(burst, excess):
    assert first_excess(Target(100, 70), burst, 1) == excess


@pytest.mark.spec("SC-198", "SC-199")
@pytest.mark.parametrize(
    ("metric", "limit", "wish", "percent", "total", "value"),
    [
        ("concurrency", 0, None, None, 100, 70),
        ("concurrency", 10, 20, None, 10, 7),
        ("concurrency", 10, 5, None, 5, 3.5),
        ("concurrency", 1, None, 100, 1, 1),
        (RPS, 10, 100, None, 100, 70),
        (RPS, 0, 100, 100, 100, 100),
        (RPS, 0, None, None, 200, 140),
        ("concurrency", 0, 0.01, None, 0.01, 0.01),
        ("concurrency", 90, None, None, 90, 90 * 0.7),
    ],
)
def test_the_target_of_a_revision(metric, limit, wish, percent, total, value):
    assert target_of(metric, limit, wish, percent, TargetDefaults()) == Target(total, value)


@pytest.mark.parametrize("row", SINGLE, ids=[row[0] for row in SINGLE])
def test_every_decision_says_why(row):
    _, ready, stable, panic, policy, _, _, panics = row
    decision, _ = decide(policy, Load(ready=ready, stable=stable, panic=panic), Memory(), 1000.0)
    assert f"{stable:g} over the stable window" in decision.reason
    assert ("panic since" in decision.reason) == panics
