"""The page of decisions: what was decided, why, and again."""

import json

from controller.autoscaler.deciders import Deciders
from controller.autoscaler.page import page, read_page
from tests.unit.controller.autoscaler.parts import NAME, Clock, policy, report


def test_a_page_says_what_was_decided_and_why_and_can_be_decided_again():
    deciders = Deciders(lambda _name: None, lambda: True, Clock())
    deciders.keep(NAME, policy(concurrency=1), ())
    deciders.report(report(1, 5.0, requests=3, waiting=3))
    text = page(deciders, f"/decisions/{NAME}")
    shown = json.loads(text)
    assert (shown["revision"], shown["pods"], shown["ready"]) == (NAME, 3, 0)
    assert "3 waiting" in shown["decisions"][-1]["decision"]["reason"]
    assert shown["decisions"][-1]["question"]["algorithm"] == "predictive"
    kept = read_page(text.encode())
    assert [made.again() for made in kept.decisions] == [made.decision for made in kept.decisions]


def test_what_nobody_knows_has_no_page():
    deciders = Deciders(lambda _name: None, lambda: True, Clock())
    assert page(deciders, f"/decisions/{NAME}") is None
    assert page(deciders, f"/{NAME}") is None
