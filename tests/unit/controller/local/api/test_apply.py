"""Server-side apply: who owns what, and who may change it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.local.api.apply import APPLY, UPDATE, UPDATERS_MAX, Ledger, Manager, applied, is_same, updated
from controller.local.api.shape import from_schema
from controller.local.api.status import ApiError

SHAPE = from_schema(
    {"type": "object", "properties": {"data": {"type": "object", "additionalProperties": {"type": "string"}}}},
)
NOW = "2026-01-01T00:00:00Z"
DATA = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("12"))


def put(live: Any, manager: str, data: dict[str, str], *, force: bool = False) -> Any:
    who = Manager(manager, APPLY, "v1")
    return applied(SHAPE, live, {"data": data}, who, NOW, force=force, has_status=False)


def owners(found: Any) -> dict[str, set[str]]:
    ledger = Ledger(found["metadata"].get("managedFields") or [])
    return {who.name: {path[-1][2:] for path in fields if len(path) > 1} for who, fields in ledger.fields.items()}


@given(DATA, DATA)
def test_one_manager_gets_what_it_says(first: dict[str, str], second: dict[str, str]) -> None:
    found = put(put({}, "one", first), "one", second)

    assert (found.get("data") or {}) == second
    assert owners(found).get("one", set()) == set(second)


@given(DATA, DATA)
def test_two_managers_agree_or_meet_in_a_conflict(first: dict[str, str], second: dict[str, str]) -> None:
    live = put({}, "one", first)
    disputed = {key for key in first.keys() & second.keys() if first[key] != second[key]}
    if disputed:
        with pytest.raises(ApiError) as refused:
            put(live, "two", second)
        fields = {cause["field"] for cause in (refused.value.details or {})["causes"]}
        assert fields == {f".data.{key}" for key in disputed}
    found = put(live, "two", second, force=True)
    assert found["data"] if first or second else True
    assert (found.get("data") or {}) == {**first, **second}
    assert owners(found).get("one", set()) == set(first) - disputed


@given(DATA, DATA, DATA)
def test_what_another_says_stays(first: dict[str, str], second: dict[str, str], third: dict[str, str]) -> None:
    live = put(put({}, "one", first, force=True), "two", second, force=True)
    found = put(live, "one", third, force=True)

    assert (found.get("data") or {}) == {**second, **third}


def test_an_update_takes_fields_from_their_owner() -> None:
    live = put({}, "one", {"a": "1", "b": "1"})
    entries = live["metadata"]["managedFields"]
    after = updated(
        SHAPE, {"data": live["data"]}, {"data": {"a": "2", "b": "1"}}, Manager("hand", UPDATE, "v1"), NOW,
        has_status=False, entries=entries,
    )  # fmt: skip

    assert owners({"metadata": {"managedFields": after}}) == {"one": {"b"}, "hand": {"a"}}


def test_many_updaters_become_one_ancient_entry() -> None:
    entries: list[Any] = []
    data: dict[str, str] = {}
    for number in range(UPDATERS_MAX + 5):
        old = dict(data)
        data[f"k{number}"] = "v"
        who, now = Manager(f"m{number:02}", UPDATE, "v1"), f"2026-01-01T00:00:{number:02}Z"
        before, after = {"data": old}, {"data": dict(data)}
        entries = updated(SHAPE, before, after, who, now, has_status=False, entries=entries)

    found = owners({"metadata": {"managedFields": entries}})
    assert len(found) == UPDATERS_MAX
    assert {"k0", "k1"} <= found["ancient-changes"]
    assert set().union(*found.values()) == set(data)


def test_a_status_is_owned_through_its_own_door_only() -> None:
    shape = from_schema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    new = {"spec": {"a": 1}, "status": {"b": 1}}
    for door, owned in (("", "f:spec"), ("status", "f:status")):
        who = Manager("x", UPDATE, "v1", door)
        entries = updated(shape, {}, new, who, NOW, has_status=True, entries=[])
        assert list(entries[0]["fieldsV1"]) == [owned]


def test_times_alone_make_no_difference() -> None:
    first = {"metadata": {"resourceVersion": "1", "managedFields": [{"manager": "a", "time": "1"}]}}
    second = {"metadata": {"resourceVersion": "2", "managedFields": [{"manager": "a", "time": "2"}]}}
    assert is_same(first, second)
    assert not is_same(first, {**second, "data": {}})
