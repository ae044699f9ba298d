"""Bounds: the golden cases of chapter 8.3, row by row of table 1.6."""

import pytest

from controller.autoscaler.bounds import ACTIVATING, ACTIVE, INACTIVE, UNKNOWN, ScaleLimits, ScaleState, bound


def state(activity=ACTIVE, for_s=100.0, initialized=True, **more):
    return ScaleState(activity=activity, for_s=for_s, initialized=initialized, **more)


def outcome(pods, limits, now):
    want = bound(pods, limits, now)
    return want.pods, want.write, want.again_s


@pytest.mark.spec("SC-187", "SC-188", "SC-189", "SC-194", "SC-206")
@pytest.mark.parametrize(
    ("pods", "limits", "now", "expected"),
    [
        (1, ScaleLimits(min_scale=3), state(), (3, True, None)),
        (12, ScaleLimits(max_scale=10), state(), (10, True, None)),
        (0, ScaleLimits(min_scale=2, max_scale=1), state(), (2, True, None)),
        (12, ScaleLimits(min_scale=2, max_scale=1), state(), (1, True, None)),
        (1, ScaleLimits(initial_scale=5), state(initialized=False), (5, True, None)),
        (1, ScaleLimits(initial_scale=5), state(), (1, True, None)),
        (0, ScaleLimits(min_scale=2), state(reachable=False), (0, False, None)),
        (0, ScaleLimits(to_zero=False), state(), (1, True, None)),
        (UNKNOWN, ScaleLimits(), state(), (UNKNOWN, False, None)),
    ],
    ids=["G-45", "G-46", "G-47 low", "G-47 high", "G-48", "G-48 later", "G-49", "G-50", "G-51"],
)
def test_least_and_most(pods, limits, now, expected):
    assert outcome(pods, limits, now) == expected


@pytest.mark.spec("SC-192", "SC-193", "SC-208", "SC-221")
@pytest.mark.parametrize(
    ("limits", "now", "expected"),
    [
        (ScaleLimits(progress_deadline_s=20), state(ACTIVATING, 10), (UNKNOWN, False, 40)),
        (ScaleLimits(progress_deadline_s=20), state(ACTIVATING, 51), (0, True, None)),
        (ScaleLimits(), state(ACTIVE, 60), (0, False, None)),
        (ScaleLimits(), state(ACTIVE, 60, proxied=True), (0, False, 3.0)),
        (ScaleLimits(), state(ACTIVE, 45), (1, True, 15)),
        (ScaleLimits(), state(INACTIVE, 5), (0, False, 1.0)),
        (ScaleLimits(), state(INACTIVE, 5, activator_confirmed=True, proxied_s=31), (0, True, None)),
        (ScaleLimits(), state(INACTIVE, 5, activator_confirmed=True, proxied_s=12), (0, False, 18)),
        (ScaleLimits(), state(INACTIVE, 30, activator_confirmed=True), (0, True, None)),
        (ScaleLimits(burst_capacity=-1), state(INACTIVE, 30), (0, True, None)),
        (
            ScaleLimits(retention_s=60),
            state(INACTIVE, 45, activator_confirmed=True, proxied_s=100),
            (0, False, 15),
        ),
        (
            ScaleLimits(retention_s=60),
            state(INACTIVE, 60, activator_confirmed=True, proxied_s=100),
            (0, True, None),
        ),
        (
            ScaleLimits(retention_s=600),
            state(INACTIVE, 30, activator_confirmed=True, reachable=False),
            (0, True, None),
        ),
    ],
    ids=[
        "starting",
        "G-56 never ready",
        "G-52 idle",
        "idle and proxied",
        "not idle for long",
        "activator not confirmed",
        "G-52 proxied for long",
        "G-53 grace",
        "grace is over",
        "G-54 always proxied",
        "G-55 retention",
        "G-55 retention is over",
        "unreachable knows no retention",
    ],
)
def test_the_way_to_zero(limits, now, expected):
    assert outcome(0, limits, now) == expected


def test_an_unknown_number_of_a_starting_revision_becomes_its_least():
    assert outcome(UNKNOWN, ScaleLimits(min_scale=2), state(ACTIVATING, 1)) == (2, True, None)
