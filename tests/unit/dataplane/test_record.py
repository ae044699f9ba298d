"""Records never change and compare by value."""

from __future__ import annotations

import pytest

from dataplane.contract.record import Record, defaults_of, fields_of


class Point(Record):
    x: int
    y: int = 2


def test_fields_keep_their_order_and_their_defaults():
    assert fields_of(Point) == ("x", "y")
    assert defaults_of(Point) == {"y": 2}
    assert (Point(x=1).x, Point(x=1).y) == (1, 2)


def test_records_are_equal_when_their_values_are():
    assert Point(x=1) == Point(x=1, y=2)
    assert Point(x=1) != Point(x=2)
    assert Point(x=1) != (1, 2)
    assert hash(Point(x=1)) == hash(Point(x=1, y=2))


def test_a_record_cannot_be_changed():
    point = Point(x=1)
    with pytest.raises(AttributeError, match="cannot be changed"):
        point.x = 3
    with pytest.raises(AttributeError, match="cannot be removed"):
        del point.x
    assert point.but(x=3) == Point(x=3)
    assert not hasattr(point, "__dict__")


def test_missing_and_unknown_fields_are_named():
    with pytest.raises(TypeError, match="Point needs x"):
        Point(y=1)
    with pytest.raises(TypeError, match="Point has no z"):
        Point(x=1, z=3)
