"""Text as Go's envconfig reads it."""

from __future__ import annotations

import pytest

from dataplane.contract.values import go_bool, go_int, quoted


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("10", 10),
        ("-1", -1),
        ("+7", 7),
        ("0x10", 16),
        ("0X1f", 31),
        ("010", 8),
        ("-010", -8),
        ("0o17", 15),
        ("0b101", 5),
        ("1_000", 1000),
        ("0_7", 7),
        ("9223372036854775807", (1 << 63) - 1),
        ("-9223372036854775808", -(1 << 63)),
    ],
)
def test_a_whole_number_is_read_in_base_0(text, number):
    assert go_int(text) == number


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "1\n", "08", "0x", "1.0", "1e3", "--1", "+-1", "+ 1", "_1", "1__0", "٣", "9223372036854775808"],
)
def test_what_go_would_refuse_is_refused(text):
    with pytest.raises(ValueError, match="not a whole number"):
        go_int(text)


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
def test_true_in_every_spelling_of_go(text):
    assert go_bool(text) is True


@pytest.mark.parametrize("text", ["0", "f", "F", "FALSE", "false", "False"])
def test_false_in_every_spelling_of_go(text):
    assert go_bool(text) is False


@pytest.mark.parametrize("text", ["", "yes", "tRUE", " true"])
def test_another_spelling_is_no_truth_value(text):
    with pytest.raises(ValueError, match="not a truth value"):
        go_bool(text)


def test_a_value_in_a_message_stays_on_one_line_and_short():
    assert quoted("a\nb") == '"a\\u000ab"'
    assert len(quoted("x" * 10_000)) < 100
