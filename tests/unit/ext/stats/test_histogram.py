"""Buckets of the histograms: bounds are inclusive above, and both sets of names can be read off."""

import bisect

import pytest

from dataplane.metrics.catalog import BYTES, OLD_MS, SECONDS
from ext.stats.histogram import DURATION_BOUNDS_NS, SIZE_BOUNDS_BYTES
from ext.testing.stats import duration_bucket, size_bucket

MS = 1_000_000


@pytest.mark.spec("DP-135")
def test_the_bounds_are_those_of_the_specification_and_of_the_old_names():
    assert sorted({round(s * 1000) * MS for s in SECONDS} | {ms * MS for ms in OLD_MS}) == list(DURATION_BOUNDS_NS)
    assert SIZE_BOUNDS_BYTES == BYTES


@pytest.mark.parametrize("bound", DURATION_BOUNDS_NS)
def test_a_duration_on_a_bound_belongs_below_it(bound):
    at = DURATION_BOUNDS_NS.index(bound)
    assert [duration_bucket(bound - 1), duration_bucket(bound), duration_bucket(bound + 1)] == [at, at, at + 1]


@pytest.mark.parametrize("value", [0, 1, 5, 6, 10, 74, 75, 76, 1000, 1024, 9999, 10000, 10001, 1 << 40, 2**64 - 1])
def test_a_size_falls_into_the_first_bucket_that_holds_it(value):
    assert size_bucket(value) == bisect.bisect_left(SIZE_BOUNDS_BYTES, value)


def test_the_longest_time_falls_into_the_last_bucket():
    assert duration_bucket(2**64 - 1) == len(DURATION_BOUNDS_NS)
