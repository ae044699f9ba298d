"""Names, owners and values."""

from __future__ import annotations

import hashlib

import pytest

from controller.api.meta import (
    ObjectMeta,
    annotation,
    child_name,
    controller_of,
    is_controlled_by,
    owner_reference,
    timestamp,
)
from controller.api.serving import Service
from controller.api.values import (
    duration_ns,
    duration_text,
    integer,
    label_1035_problems,
    number,
    qualified_name_problems,
    quantity,
)


@pytest.mark.spec("SC-029")
def test_a_long_name_keeps_its_start_and_gets_a_hash() -> None:
    parent = "a" * 60
    name = child_name(parent, "-00001")
    assert name == "a" * 25 + hashlib.md5(parent.encode()).hexdigest() + "-00001"
    assert len(name) == 63


def test_a_short_name_gets_its_suffix() -> None:
    assert child_name("demo", "-00012") == "demo-00012"
    assert child_name("a" * 57, "-00001") == "a" * 57 + "-00001"


def test_a_long_suffix_is_hashed_with_the_name() -> None:
    parent, suffix = "demo", "-" + "b" * 70
    hashed = hashlib.md5((parent + suffix).encode()).hexdigest()
    assert child_name(parent, suffix) == f"demo{hashed}{suffix[:27]}"
    assert child_name("a" * 40, "-" * 31) == "a" * 31 + hashlib.md5(("a" * 40 + "-" * 31).encode()).hexdigest()
    trimmed = hashlib.md5(("demo" + "-" * 70).encode()).hexdigest()
    assert child_name("demo", "-" * 70) == f"demo{trimmed}"


def test_a_child_knows_its_controller() -> None:
    owner = Service(metadata=ObjectMeta(name="demo", uid="7"))
    child = ObjectMeta(owner_references=(owner_reference(owner),))
    found = controller_of(child)
    assert found is not None
    assert (found.kind, found.name, found.controller, found.block_owner_deletion) == ("Service", "demo", True, True)
    assert is_controlled_by(child, owner)
    assert not is_controlled_by(child, Service(metadata=ObjectMeta(name="demo", uid="8")))
    assert controller_of(ObjectMeta()) is None


def test_of_several_spellings_the_first_counts() -> None:
    assert annotation({"b": "2", "a": "1"}, ("a", "b")) == ("a", "1")
    assert annotation({"b": "2"}, ("a", "b")) == ("b", "2")
    assert annotation({}, ("a", "b")) is None


def test_a_time_is_written_as_kubernetes_writes_it() -> None:
    assert timestamp(0.9) == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1h", 3600 * 10**9),
        ("1m30.5s", 905 * 10**8),
        ("-5s", -5 * 10**9),
        ("0", 0),
        ("1.5ms", 1_500_000),
        ("2us", 2000),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, ns: int) -> None:
    assert duration_ns(text) == ns


@pytest.mark.parametrize("text", ["", "5", "s", "1d", "1 s", "--1s", "1e3s", "300000000h", "\uff11s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no duration|longer than"):
        duration_ns(text)


@pytest.mark.parametrize("text", ["1h0m0s", "1m0s", "6s", "1.5s", "250ms", "1µs", "0s", "-2s", "1h0m1.001s", "3ns"])
def test_a_duration_is_written_as_go_writes_it(text: str) -> None:
    assert duration_text(duration_ns(text)) == text


def test_numbers_are_finite_and_plain() -> None:
    assert number("1e3") == 1000
    assert integer("-7", 32) == -7
    for text in ("nan", "inf", "1_0", "", "1e999"):
        with pytest.raises(ValueError, match="no number"):
            number(text)
    with pytest.raises(ValueError, match="no whole number"):
        integer("1.0")
    with pytest.raises(OverflowError):
        integer("2147483648", 32)


@pytest.mark.parametrize(
    ("text", "thousandths"), [("100m", 100), ("1", 1000), ("1Ki", 1024000), ("0.5", 500), ("1e3", 10**6)]
)
def test_an_amount_is_read_as_kubernetes_reads_it(text: str, thousandths: int) -> None:
    assert quantity(text) * 1000 == thousandths


@pytest.mark.parametrize("text", ["", "1x", "m", "1 Gi", "1KI", "1e9999999"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        quantity(text)


def test_names_are_told_what_is_wrong_with_them() -> None:
    assert label_1035_problems("demo-1") == []
    assert label_1035_problems("a" * 64) == ["must be no more than 63 characters"]
    assert len(label_1035_problems("A" * 64)) == 2
    assert qualified_name_problems("example.com/Some_name.1") == []
    assert qualified_name_problems("/a") == ["prefix part must be non-empty"]
    assert qualified_name_problems("a/") == ["name part must be non-empty"]
    assert qualified_name_problems("UPPER/a")[0].startswith("prefix part a lowercase RFC 1123 subdomain")
