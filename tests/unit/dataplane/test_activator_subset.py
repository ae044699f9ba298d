"""The subset of an activator: the tables of 2.6."""

from __future__ import annotations

import pytest

from dataplane.activator.subset import UNKNOWN, Share, assigned, service_capacity, share_of


@pytest.mark.spec("DP-200")
@pytest.mark.parametrize(
    ("pods", "rows"),
    [
        (6, [[0, 4], [1, 5], [2], [3]]),
        (10, [[0, 1, 2, 9], [3, 4, 5], [6, 7, 8]]),
        (3, [[0], [1], [2], [0], [1]]),
        (20, [[0, 1, 2, 3, 4, 5, 18], [6, 7, 8, 9, 10, 11, 19], [12, 13, 14, 15, 16, 17]]),
    ],
    ids=["6 pods", "10 pods", "3 pods", "20 pods"],
)
def test_pods_are_divided_as_upstream_does(pods: int, rows: list[list[int]]) -> None:
    assert [assigned(range(pods), Share(count=len(rows), index=index)) for index in range(len(rows))] == rows


@pytest.mark.parametrize("pods", range(1, 24))
@pytest.mark.parametrize("count", range(1, 9))
def test_every_pod_is_somebodys(pods: int, count: int) -> None:
    parts = [assigned(range(pods), Share(count=count, index=index)) for index in range(count)]
    assert set().union(*parts) == set(range(pods))
    assert count > pods or sum(map(len, parts)) == pods


@pytest.mark.parametrize("share", [UNKNOWN, Share(count=1, index=0)], ids=["not known yet", "alone"])
def test_who_is_alone_has_all(share: Share) -> None:
    assert assigned(range(5), share) == [0, 1, 2, 3, 4]


def test_one_pod_is_everybodys() -> None:
    assert assigned(["pod"], Share(count=3, index=2)) == ["pod"]
    assert assigned([], Share(count=3, index=2)) == []


@pytest.mark.spec("DP-201")
@pytest.mark.parametrize(
    ("concurrency", "pods", "count", "capacity"),
    [(10, 10, 5, 20), (10, 10, 200, 1), (10, 0, 5, 0), (10, 10, 0, 100), (3, 3, 2, 4), (1, 1, 1, 1)],
)
def test_a_service_is_divided_too(concurrency: int, pods: int, count: int, capacity: int) -> None:
    assert service_capacity(concurrency, pods, Share(count=count, index=0)) == capacity


@pytest.mark.spec("DP-202")
def test_endpoints_without_us_change_nothing() -> None:
    before = share_of("10.0.0.2", ["10.0.0.3", "10.0.0.1", "10.0.0.2"], UNKNOWN)
    assert before == Share(count=3, index=1)
    assert share_of("10.0.0.2", ["10.0.0.3", "10.0.0.1"], before) == before
    assert share_of("10.0.0.2", [], UNKNOWN) == UNKNOWN


def test_addresses_are_in_the_order_of_text() -> None:
    assert share_of("10.0.0.9", ["10.0.0.9", "10.0.0.10"], UNKNOWN) == Share(count=2, index=1)
