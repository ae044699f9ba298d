"""The cache of a watch: what it holds, what it finds, whom it tells."""

from collections.abc import AsyncIterator

import msgspec

from controller.kube.cache import Cache
from dataplane.kube.watch import Changed, Deleted, Replaced


class Thing(msgspec.Struct, frozen=True):
    name: str
    owner: str = ""
    version: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return "ns", self.name


async def said(*events) -> AsyncIterator:
    for event in events:
        yield event


def by_owner():
    return Cache({"owner": lambda thing: (thing.owner,)})


async def test_a_list_replaces_and_what_is_missing_is_gone():
    cache = by_owner()
    told = []
    cache.listen(lambda old, new: told.append((old, new)))
    first, second = Thing("a"), Thing("b")
    assert not cache.listed.is_set()
    await cache.follow(said(Replaced([first, second])))
    assert cache.listed.is_set()
    await cache.follow(said(Replaced([second])))
    assert [thing.name for thing in cache] == ["b"]
    assert told == [(None, first), (None, second), (first, None)]


async def test_an_index_follows_every_change():
    cache = by_owner()
    await cache.follow(said(Replaced([Thing("a", "x"), Thing("b", "x")]), Changed(Thing("a", "y"))))
    assert cache.by("owner", "x") == [Thing("b", "x")]
    assert cache.by("owner", "y") == [Thing("a", "y")]
    await cache.follow(said(Deleted(Thing("a", "y"))))
    assert cache.by("owner", "y") == []
    assert cache.get("ns", "a") is None


async def test_nobody_is_told_of_what_did_not_change():
    cache = by_owner()
    await cache.follow(said(Replaced([Thing("a")])))
    told = []
    cache.listen(lambda old, new: told.append((old, new)))
    await cache.follow(said(Changed(Thing("a")), Changed(Thing("a", version=2))))
    assert told == [(None, Thing("a")), (Thing("a"), Thing("a", version=2))]
