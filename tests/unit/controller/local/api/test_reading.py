"""What clients write: selectors, paths of columns, patches, bodies in three forms, lengths of time."""

from __future__ import annotations

from typing import Any

import pytest

from controller.local.api import bodies, jsonpath, models, patch, protobuf, selectors, strategic, tables
from controller.local.api.kinds import CORE
from controller.local.api.shape import pruned
from controller.local.api.status import ApiError
from controller.local.api.wire_fields import FIELDS


@pytest.mark.parametrize(
    ("text", "labels", "holds"),
    [
        ("a=b", {"a": "b"}, True), ("a==b,c!=d", {"a": "b", "c": "d"}, False), ("a in (x,y)", {"a": "y"}, True),
        ("a notin (x)", {}, True), ("!a", {"a": ""}, False), ("a", {"a": ""}, True), ("a>3", {"a": "4"}, True),
        ("a<3", {"a": "x"}, False), ("a=", {"a": ""}, True), ("x.io/a=b", {"x.io/a": "b"}, True), ("", {}, True),
    ],
)  # fmt: skip
def test_label_selectors(text: str, labels: dict[str, str], holds: bool) -> None:
    assert all(term.holds(labels) for term in selectors.labels(text)) is holds


def test_field_selectors_know_escapes() -> None:
    terms = selectors.fields(r"type=a\,b,metadata.name!=x", frozenset(["type"]), "Secret", "v1")
    assert [(term.path, term.is_equal, term.value) for term in terms] == [
        (("type",), True, "a,b"), (("metadata", "name"), False, "x"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a.b", [1]), ("a.b", [1]), (".list[0].x", ["p"]), (".list[*].x", ["p", "q"]), ("['a']['b']", [1]),
        ('.list[?(@.x=="q")].y', [2]), (r".labels.x\.io/y", ["z"]), (".none.at.all", []), (".list[7]", []),
    ],
)  # fmt: skip
def test_paths_of_columns(path: str, found: list[Any]) -> None:
    document = {"a": {"b": 1}, "list": [{"x": "p"}, {"x": "q", "y": 2}], "labels": {"x.io/y": "z"}}
    assert jsonpath.values(document, path) == found


def test_a_path_that_cannot_be_read_says_where() -> None:
    with pytest.raises(ValueError, match="cannot be read from"):
        jsonpath.steps(".a[?(@.b>1)]")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0s"), (119, "119s"), (121, "2m1s"), (600, "10m"), (10799, "179m"), (10860, "3h1m"), (8 * 3600, "8h"),
        (47 * 3600, "47h"), (50 * 3600, "2d2h"), (8 * 86400, "8d"), (730 * 86400, "2y"), (-5, "<invalid>"),
    ],
)  # fmt: skip
def test_lengths_of_time(seconds: float, said: str) -> None:
    assert tables.duration(seconds) == said


@pytest.mark.parametrize(
    ("document", "change", "found"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}), ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}), ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}), ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ],
)  # fmt: skip
def test_merge_patches_of_rfc_7386(document: Any, change: Any, found: Any) -> None:
    assert patch.merge_patched(document, change) == found


def test_a_strategic_patch_keeps_what_it_does_not_name() -> None:
    shape = models.shape("core_v1.PodSpec")
    live = {
        "containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}],
        "volumes": [{"name": "v", "emptyDir": {}}],
    }
    change = {
        "containers": [{"name": "b", "image": "2"}],
        "volumes": [{"name": "v", "$retainKeys": ["name", "secret"], "secret": {}}],
    }

    assert strategic.patched(shape, live, change) == {
        "containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}],
        "volumes": [{"name": "v", "secret": {}}],
    }


def test_a_strategic_patch_needs_its_merge_key() -> None:
    with pytest.raises(ApiError, match="declared merge key: name"):
        strategic.patched(models.shape("core_v1.PodSpec"), {}, {"containers": [{"image": "x"}]})


def test_fields_that_stand_twice_are_found_wherever_they_are() -> None:
    raw = b'{"a": {"b": 1, "b": 2}, "c": [{"d": "\\":", "d": 1}], "a": 1}'
    assert bodies.duplicates(raw, bodies.read(raw, "application/json")) == ["a.b", "c[0].d", "a"]
    assert bodies.duplicates(b'{"a": 1}', {"a": 1}) == []


def test_unknown_fields_are_named_with_their_place() -> None:
    body = {"spec": {"containers": [{"name": "a", "imagePolicy": "x"}], "strange": {}}, "metadata": {"name": "p"}}
    found = sorted(pruned(models.shape("core_v1.Pod"), body))
    assert found == ["spec.containers[0].imagePolicy", "spec.strange"]
    assert body == {"spec": {"containers": [{"name": "a"}]}, "metadata": {"name": "p"}}


def test_times_in_yaml_stay_words() -> None:
    found = bodies.read(b"when: 2026-01-01T00:00:00Z\n80: yes", "application/yaml")
    assert found == {"when": "2026-01-01T00:00:00Z", "80": True}


def _field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def test_the_binary_form_is_read() -> None:
    metadata = _field(1, b"a") + _field(3, b"") + _field(11, _field(1, b"k") + _field(2, b"v"))
    raw = _field(1, metadata) + _field(2, _field(1, b"x") + _field(2, b"y")) + _field(4, 0)
    head = _field(1, b"v1") + _field(2, b"ConfigMap")
    found = protobuf.read(protobuf.MAGIC + _field(1, head) + _field(2, raw))

    metadata_read = {"name": "a", "labels": {"k": "v"}}
    assert found == {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata_read, "data": {"x": "y"}, "immutable": False,
    }  # fmt: skip


@pytest.mark.parametrize("raw", [b"", b"{}", protobuf.MAGIC + b"\x0a\xff", protobuf.MAGIC + b"\x0a\x02\x0a"])
def test_a_message_that_is_cut_short_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        protobuf.read(raw)


def test_every_message_that_a_field_names_is_in_the_table() -> None:
    kinds = {row.split(":")[2].lstrip("*%") for rows in FIELDS.values() for row in rows.split()}
    assert {kind for kind in kinds if len(kind) > 1 and kind[0] != "@"} <= set(FIELDS)


@pytest.mark.parametrize("kind", [each for each in CORE if each.kind in FIELDS], ids=lambda kind: str(kind.kind))
def test_the_table_has_the_fields_of_the_schema(kind: Any) -> None:
    named = {row.split(":")[1] for row in FIELDS[kind.kind].split()}
    assert named == set(kind.shape.fields) - {"apiVersion", "kind"}
