"""The spin models: their small cases hold, and they object when the algorithm is broken."""

import shutil

import pytest

from tests.model.run import CASES, Case, check

pytestmark = pytest.mark.skipif(shutil.which("spin") is None, reason="spin is not installed")


@pytest.mark.spec("DP-084", "DP-088", "DP-090", "DP-095")
@pytest.mark.parametrize("case", [case for case in CASES if case.quick], ids=lambda case: case.name)
def test_no_slot_and_no_waiter_is_lost_in_any_interleaving(case):
    outcome = check(case)
    assert (outcome.errors, outcome.complaint) == (0, "")
    assert outcome.states > 100_000


def test_the_model_objects_when_a_grant_that_was_handed_back_is_not_offered_again():
    broken = {"WORKERS": 3, "TICKETS": 1, "RESIZES": 0, "LOOK_AFTER_COLLECTING": "skip"}
    assert "running>=capacity" in check(Case("broken", broken)).complaint


def test_the_model_objects_when_a_member_is_marked_out_without_a_second_look():
    broken = {"REQUESTS": 2, "LOOK_AGAIN": "true"}
    assert check(Case("broken", broken, model="roster")).errors
