"""Shares: what a user says becomes spec.traffic, or a sentence that names what is wrong."""

from __future__ import annotations

import pytest

from controller.api.serving import TrafficTarget
from controller.cli.problem import Problem
from controller.cli.shares import LATEST, canary_of, revision_of, rollback_to, shares_of, split, steps_of, targets

KNOWN = ["hello-00003", "hello-00002", "hello-00001"]


@pytest.mark.parametrize("said", ["hello-00002", "2", "00002"])
def test_a_revision_is_meant_by_its_name_or_number(said: str) -> None:
    assert revision_of(said, "hello", KNOWN) == "hello-00002"


def test_an_unknown_revision_brings_the_nearest() -> None:
    with pytest.raises(Problem) as told:
        revision_of("helo-00002", "hello", KNOWN)
    assert "hello-00002" in told.value.fix


def test_shares_may_be_said_apart_or_with_commas() -> None:
    apart = split(["1=30", "hello-00002=70%"], "hello", KNOWN)
    assert apart == split(["1=30,2=70"], "hello", KNOWN) == {"hello-00001": 30, "hello-00002": 70}


@pytest.mark.parametrize(
    ("said", "what"),
    [(["1=30"], "sum up to 30"), (["1=x"], "no share"), (["=100"], "no share"), (["1=101"], "no share")],
)
def test_what_is_no_share_is_named(said: list[str], what: str) -> None:
    with pytest.raises(Problem, match=what):
        split(said, "hello", KNOWN)


def test_a_tag_goes_to_the_share_of_its_revision_or_stands_alone() -> None:
    made = targets({LATEST: 100}, {"next": "hello-00002", "now": LATEST})
    assert made == [
        {"percent": 100, "latestRevision": True, "tag": "now"},
        {"percent": 0, "latestRevision": False, "revisionName": "hello-00002", "tag": "next"},
    ]


def test_shares_of_one_revision_add_up() -> None:
    traffic = [TrafficTarget(revision_name="a", percent=10, tag="t"), TrafficTarget(revision_name="a", percent=90)]
    assert shares_of(traffic) == {"a": 100}


def test_a_canary_is_the_newest_beside_the_one_that_serves_most() -> None:
    assert canary_of({"hello-00001": 90, "hello-00002": 10}, KNOWN) == ("hello-00001", "hello-00003")
    assert canary_of({"hello-00003": 100}, KNOWN) == ("hello-00002", "hello-00003")


def test_a_canary_needs_two() -> None:
    with pytest.raises(Problem, match="one revision only"):
        canary_of({"hello-00001": 100}, ["hello-00001"])


def test_back_is_the_one_before_the_newest_that_serves() -> None:
    assert rollback_to({"hello-00001": 50, "hello-00003": 50}, KNOWN) == "hello-00002"
    with pytest.raises(Problem, match="no older revision"):
        rollback_to({"hello-00001": 100}, KNOWN)


@pytest.mark.parametrize("said", ["", "10,x", "0,50", "50,10", "10,10", "10,200"])
def test_steps_that_do_not_grow_are_named(said: str) -> None:
    with pytest.raises(Problem, match="--canary"):
        steps_of(said)


def test_steps_grow() -> None:
    assert steps_of("10, 50%,100") == [10, 50, 100]
