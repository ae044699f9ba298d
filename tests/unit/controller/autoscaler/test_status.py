"""The conditions of a PodAutoscaler: the table of 2.2, row by row."""

import pytest

from controller.api.autoscaling import ACTIVE, POD_AUTOSCALER_CONDITIONS, SCALE_TARGET_INITIALIZED, SKS_READY
from controller.api.conditions import FALSE, TRUE, UNKNOWN, Condition, Conditions
from controller.api.networking import ServerlessService, ServerlessServiceStatus
from controller.autoscaler.bounds import ScaleLimits
from controller.autoscaler.status import mark_active, mark_service

QUEUED = (UNKNOWN, "Queued", "Requests to the target are being buffered as resources are provisioned.")
NO_TRAFFIC = (FALSE, "NoTraffic", "The target is not receiving traffic.")
TIMED_OUT = (FALSE, "TimedOut", "The target could not be activated.")
SERVING = (TRUE, "", "")


def conditions(active, initialized=TRUE):
    before = [Condition(type=ACTIVE, status=active), Condition(type=SCALE_TARGET_INITIALIZED, status=initialized)]
    made = Conditions(POD_AUTOSCALER_CONDITIONS, before, "2026-01-01T00:00:00Z")
    made.initialise()
    return made


def active_of(made):
    found = made.get(ACTIVE)
    return found.status, found.reason, found.message


@pytest.mark.spec("SC-207")
@pytest.mark.parametrize(
    ("want", "ready", "before", "expected"),
    [
        (0, 0, UNKNOWN, TIMED_OUT),
        (0, 1, UNKNOWN, TIMED_OUT),
        (0, 0, TRUE, NO_TRAFFIC),
        (0, 1, TRUE, NO_TRAFFIC),
        (0, 0, FALSE, NO_TRAFFIC),
        (1, 0, UNKNOWN, QUEUED),
        (1, 0, TRUE, QUEUED),
        (1, 0, FALSE, QUEUED),
        (-1, 0, UNKNOWN, QUEUED),
        (-1, 0, TRUE, QUEUED),
        (-1, 0, FALSE, NO_TRAFFIC),
        (1, 1, UNKNOWN, SERVING),
        (1, 1, FALSE, SERVING),
        (-1, 1, UNKNOWN, SERVING),
        (-1, 1, TRUE, SERVING),
    ],
)
def test_the_table_of_active(want, ready, before, expected):
    made = conditions(before)
    mark_active(want, ready, ScaleLimits(), True, made, True)
    assert active_of(made) == expected


@pytest.mark.spec("SC-207")
def test_an_inactive_one_whose_scale_is_unknown_stays_as_it_is():
    made = conditions(FALSE)
    mark_active(-1, 1, ScaleLimits(), True, made, True)
    assert active_of(made)[0] == FALSE


@pytest.mark.spec("SC-189")
@pytest.mark.parametrize(("ready", "status"), [(2, UNKNOWN), (3, TRUE)])
def test_the_initial_scale_has_to_be_reached(ready, status):
    made = conditions(UNKNOWN, UNKNOWN)
    mark_active(3, ready, ScaleLimits(initial_scale=3), True, made, True)
    assert made.is_status(SCALE_TARGET_INITIALIZED, status)
    assert made.is_status(ACTIVE, status)


@pytest.mark.spec("SC-190")
def test_an_initial_scale_of_zero_is_reached_at_once_and_receives_no_traffic():
    made = conditions(UNKNOWN, UNKNOWN)
    mark_active(-1, 0, ScaleLimits(initial_scale=0), True, made, True)
    assert made.is_status(SCALE_TARGET_INITIALIZED, TRUE)
    assert active_of(made) == NO_TRAFFIC


def test_without_a_service_nothing_is_reached():
    made = conditions(UNKNOWN, UNKNOWN)
    mark_active(1, 1, ScaleLimits(), False, made, True)
    assert made.is_status(SCALE_TARGET_INITIALIZED, UNKNOWN)


@pytest.mark.spec("SC-187", "SC-206")
@pytest.mark.parametrize(("reachable", "expected"), [(True, QUEUED), (False, SERVING)])
def test_the_least_counts_for_active_while_anybody_can_reach_it(reachable, expected):
    made = conditions(TRUE)
    mark_active(1, 1, ScaleLimits(min_scale=5), True, made, reachable)
    assert active_of(made) == expected


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (None, (UNKNOWN, "NotReady", "No Private Service Name")),
        (ServerlessServiceStatus(), (UNKNOWN, "NotReady", "No Private Service Name")),
        (ServerlessServiceStatus(private_service_name="p"), (TRUE, "", "")),
        (
            ServerlessServiceStatus(
                private_service_name="p", conditions=(Condition(type="Ready", status=FALSE, reason="A", message="b"),)
            ),
            (FALSE, "A", "b"),
        ),
    ],
    ids=["missing", "new", "ready", "failed"],
)
def test_what_its_service_says(service, expected):
    made = conditions(TRUE)
    mark_service(service and ServerlessService(status=service), made)
    found = made.get(SKS_READY)
    assert (found.status, found.reason, found.message) == expected
