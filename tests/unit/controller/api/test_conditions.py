"""How conditions add up to Ready."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controller.api.conditions import (
    FALSE,
    INFO,
    READY,
    TRUE,
    UNKNOWN,
    Condition,
    Conditions,
    find,
    is_failed,
    is_ready,
)

OLD, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def shown(conditions: Conditions) -> dict[str, tuple[str, str, str]]:
    return {each.type: (each.status, each.reason, each.message) for each in conditions.result()}


def begun(*before: Condition) -> Conditions:
    conditions = Conditions(("A", "B"), before, NOW)
    conditions.initialise()
    return conditions


def test_everything_begins_unknown_and_sorted() -> None:
    result = begun().result()
    assert [(each.type, each.status, each.severity) for each in result] == [
        ("A", UNKNOWN, ""), ("B", UNKNOWN, ""), ("Ready", UNKNOWN, ""),
    ]  # fmt: skip


def test_what_is_new_in_a_ready_object_begins_true() -> None:
    conditions = begun(Condition(type=READY, status=TRUE, last_transition_time=OLD))
    assert shown(conditions) == dict.fromkeys(("A", "B", READY), (TRUE, "", ""))


def test_ready_is_true_once_all_are() -> None:
    conditions = begun()
    conditions.mark_true("A")
    assert shown(conditions)[READY] == (UNKNOWN, "", "")
    conditions.mark_true("B")
    assert shown(conditions)[READY] == (TRUE, "", "")


def test_ready_says_what_the_failed_one_says() -> None:
    conditions = begun()
    conditions.mark_false("A", "Broken", "it is")
    conditions.mark_true("B")
    assert shown(conditions)[READY] == (FALSE, "Broken", "it is")


def test_of_several_failures_the_newest_is_told() -> None:
    older = Condition(type="B", status=FALSE, reason="Old", message="o", last_transition_time=OLD)
    newer = Condition(type="A", status=FALSE, reason="New", message="n", last_transition_time=NOW)
    conditions = Conditions(("A", "B", "C"), (older, newer), NOW)
    conditions.initialise()
    conditions.mark_true("C")
    assert shown(conditions)[READY] == (FALSE, "New", "n")
    conditions.mark_false("B", "Newest", "b")
    conditions.mark_true("C")
    assert shown(conditions)[READY] == (FALSE, "Newest", "b")


def test_a_condition_that_changed_twice_is_older_than_one_that_changed_after_it() -> None:
    conditions = Conditions(("A", "B", "C"), (), NOW)
    conditions.mark_false("A", "First", "a")
    conditions.mark_false("A", "Second", "a")
    conditions.mark_false("B", "Third", "b")
    conditions.mark_true("C")
    assert shown(conditions)[READY] == (FALSE, "Third", "b")


def test_unknown_does_not_hide_a_failure() -> None:
    conditions = begun()
    conditions.mark_false("A", "Broken", "it is")
    conditions.mark_unknown("B", "Waiting", "for it")
    assert shown(conditions)[READY] == (FALSE, "Broken", "it is")
    conditions.mark_true("A")
    assert shown(conditions)[READY] == (UNKNOWN, "Waiting", "for it")


def test_what_is_for_information_never_counts() -> None:
    conditions = begun()
    conditions.mark_true("A")
    conditions.mark_true("B")
    conditions.mark_false("Active", "NoTraffic", "nobody asks")
    found = find(conditions.result(), "Active")
    assert found is not None
    assert found.severity == INFO
    assert shown(conditions)[READY] == (TRUE, "", "")
    conditions.drop("Active")
    assert find(conditions.result(), "Active") is None


def test_a_new_generation_is_seen_until_somebody_says_more() -> None:
    conditions = begun(Condition(type=READY, status=TRUE, last_transition_time=OLD))
    conditions.new_generation()
    assert shown(conditions)[READY] == (UNKNOWN, "NewObservedGenFailure", "unsuccessfully observed a new generation")
    conditions.mark_true("A")
    assert shown(conditions)[READY] == (TRUE, "", "")


def test_only_what_differs_at_the_end_has_a_new_time() -> None:
    before = tuple(Condition(type=kind, status=TRUE, last_transition_time=OLD) for kind in ("A", "B", READY))
    conditions = begun(*before)
    conditions.mark_false("A", "Broken", "it is")
    conditions.mark_true("A")
    assert conditions.result() == before
    conditions.mark_false("A", "Broken", "it is")
    times = {each.type: each.last_transition_time for each in conditions.result()}
    assert times == {"A": NOW, "B": OLD, READY: NOW}


def test_another_objects_condition_is_taken_over() -> None:
    conditions = begun()
    conditions.mark("A", Condition(type=READY, status=FALSE, reason="r", message="m"))
    assert shown(conditions)["A"] == (FALSE, "r", "m")
    conditions.mark("A", Condition(type=READY, status=UNKNOWN, reason="w", message="m"))
    assert shown(conditions)["A"] == (UNKNOWN, "w", "m")
    conditions.mark("A", Condition(type=READY, status=TRUE))
    assert shown(conditions)["A"] == (TRUE, "", "")


def test_an_object_is_ready_only_for_the_generation_it_has_seen() -> None:
    ready = (Condition(type=READY, status=TRUE),)
    failed = (Condition(type=READY, status=FALSE),)
    assert is_ready(2, 2, ready)
    assert not is_ready(3, 2, ready)
    assert is_failed(2, 2, failed)
    assert not is_failed(3, 2, failed)
    assert not is_ready(1, 1, ())


MARKS = st.lists(st.tuples(st.sampled_from(["A", "B", "Info"]), st.sampled_from([TRUE, FALSE, UNKNOWN])), max_size=12)


@given(MARKS)
def test_ready_is_what_its_dependents_make_it(marks: list[tuple[str, str]]) -> None:
    conditions = begun()
    for kind, status in marks:
        conditions.mark(kind, Condition(type=READY, status=status, reason=f"{kind}{status}"))
    states = {each.type: each.status for each in conditions.result()}
    dependents = {states["A"], states["B"]}
    wanted = FALSE if FALSE in dependents else UNKNOWN if UNKNOWN in dependents else TRUE
    assert states[READY] == wanted
