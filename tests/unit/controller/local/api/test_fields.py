"""Sets of fields: their documents, what a configuration owns, what a change touches."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.local.api import fields, models
from controller.local.api.shape import from_schema

SHAPE = from_schema({
    "type": "object",
    "properties": {
        "size": {"type": "integer"},
        "parts": {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}},
        },
        "words": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "plain": {"type": "array", "items": {"type": "string"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
})  # fmt: skip

NAMES = st.sampled_from(["a", "b", "c"])
OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers(0, 3),
        "parts": st.dictionaries(NAMES, st.integers(0, 2)).map(
            lambda found: [{"name": k, "n": v} for k, v in found.items()]
        ),
        "words": st.lists(NAMES, unique=True),
        "plain": st.lists(NAMES),
        "labels": st.dictionaries(NAMES, NAMES),
    },
)
PATHS = st.sets(st.lists(st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"w"']), min_size=1, max_size=4).map(tuple))


@given(PATHS)
def test_a_set_survives_its_document(found: fields.Fields) -> None:
    assert fields.parse(fields.document(found)) == found


def test_a_member_without_anything_below_is_an_empty_object() -> None:
    found = {("f:a",), ("f:b",), ("f:b", "f:c")}
    assert fields.document(found) == {"f:a": {}, "f:b": {".": {}, "f:c": {}}}


def test_a_configuration_owns_leaves_and_items() -> None:
    value = {"size": 1, "parts": [{"name": "p", "n": 1}], "words": ["w"], "plain": ["x"], "labels": {"a": "b"}}
    item = ("f:parts", 'k:{"name":"p"}')
    assert fields.owned(SHAPE, value) == {
        ("f:size",), item, (*item, "f:name"), (*item, "f:n"), ("f:words", 'v:"w"'), ("f:plain",), ("f:labels", "f:a"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"parts": [{"name": "p"}, {"name": "p"}]}, '.parts: duplicate entries for key [name="p"]'),
        ({"words": ["w", "w"]}, '.words: duplicate entries for key [="w"]'),
        ({"parts": [{"n": 1}]}, 'omits key field "name"'),
    ],
)
def test_items_have_to_be_told_apart(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        fields.owned(SHAPE, value)


def test_the_protocol_of_a_port_may_be_left_out() -> None:
    ports = models.shape("core_v1.Container").field("ports")
    assert fields.element_of(ports, {"containerPort": 80}) == 'k:{"containerPort":80,"protocol":"TCP"}'


@given(OBJECTS, OBJECTS)
def test_only_what_differs_is_touched(old: Any, new: Any) -> None:
    changed, removed = fields.compared(SHAPE, old, new)

    assert (not changed and not removed) or old != new
    assert changed <= fields.members(SHAPE, new)
    assert not removed & fields.members(SHAPE, new)
    assert removed <= fields.members(SHAPE, old)


@given(OBJECTS)
def test_taking_all_members_away_leaves_nothing(value: Any) -> None:
    assert fields.without(SHAPE, value, fields.members(SHAPE, value)) == {}


def test_taking_an_item_away_leaves_its_neighbours() -> None:
    value = {"parts": [{"name": "p", "n": 1}, {"name": "q"}], "labels": {"a": "b"}}
    gone = {("f:parts", 'k:{"name":"p"}'), ("f:labels", "f:a")}
    assert fields.without(SHAPE, value, gone) == {"parts": [{"name": "q"}], "labels": {}}


def test_a_path_is_printed_as_messages_have_it() -> None:
    path = ("f:spec", "f:ports", 'k:{"port":80,"protocol":"TCP"}', "f:words", 'v:"a"')
    assert fields.printed(path) == '.spec.ports[port=80,protocol="TCP"].words[="a"]'
