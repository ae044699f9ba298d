"""The store and the watches on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.local.api import watch
from controller.local.api.selectors import Selection, labels
from controller.local.api.status import ApiError
from controller.local.api.store import Store, StoreError


def thing(name: str, **metadata: Any) -> Any:
    return {"kind": "Thing", "metadata": {"name": name, "uid": f"uid-{name}", **metadata}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(tmp_path / "objects.db")
    yield found
    found.close()


def listening(store: Store) -> watch.Hub:
    hub = watch.Hub(store.version)
    store.on_change = hub.on_change
    return hub


def test_objects_and_versions_survive_closing(tmp_path: Path) -> None:
    first = Store(tmp_path / "objects.db")
    first.write("things", "ns", "b", thing("b"))
    first.write("things", "ns", "a", thing("a", ownerReferences=[{"uid": "uid-b"}]))
    first.write("things", "ns", "c", thing("c"))
    first.delete("things", "ns", "c")
    first.close()

    second = Store(tmp_path / "objects.db")
    assert [name for _, name, _ in second.items("things")] == ["a", "b"]
    assert second.version == 4
    assert second.dependents("uid-b") == [("things", "ns", "a")]
    second.close()


def test_a_file_that_is_no_store_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "objects.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="move the file away"):
        Store(tmp_path / "objects.db")


def test_two_servers_cannot_share_a_file(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="another server has it open"):
        Store(tmp_path / "objects.db")


def test_owners_are_followed_as_they_change(store: Store) -> None:
    store.write("things", "ns", "a", thing("a", ownerReferences=[{"uid": "x"}, {"uid": "y"}]))
    store.write("things", "ns", "a", thing("a", ownerReferences=[{"uid": "y"}]))
    assert (store.dependents("x"), store.dependents("y")) == ([], [("things", "ns", "a")])
    assert store.key_of("uid-a") == ("things", "ns", "a")
    store.delete("things", "ns", "a")
    assert (store.dependents("y"), store.has_uid("uid-a")) == ([], False)


def test_what_was_read_cannot_change_what_is_stored(store: Store) -> None:
    entry = store.write("things", "ns", "a", thing("a"))
    entry.object()["metadata"]["name"] = "other"
    found = store.get("things", "ns", "a")
    assert found is not None
    assert found.object()["metadata"]["name"] == "a"


async def test_a_watch_begins_in_the_past_and_goes_on(store: Store) -> None:
    hub = listening(store)
    store.write("things", "ns", "a", thing("a"))
    store.write("others", "ns", "x", thing("x"))
    watcher = hub.begin("things", Selection(), 0)
    store.write("things", "ns", "a", thing("a", labels={"n": "1"}))
    store.delete("things", "ns", "a")

    found = await watcher.take(1)
    assert [type_ for type_, _ in found] == ["ADDED", "MODIFIED", "DELETED"]
    assert [event.version for _, event in found] == [1, 3, 4]


async def test_a_selection_sees_objects_come_and_go(store: Store) -> None:
    hub = listening(store)
    watcher = hub.begin("things", Selection(labels=labels("on=yes")), None)
    for value in ("no", "yes", "yes", "no"):
        store.write("things", "ns", "a", thing("a", labels={"on": value}, n=value))
    found = await watcher.take(1)

    assert [type_ for type_, _ in found] == ["ADDED", "MODIFIED", "DELETED"]
    last = json.loads(found[-1][1].line("DELETED"))["object"]["metadata"]
    assert (last["labels"], last["resourceVersion"]) == ({"on": "yes"}, "4")


async def test_all_watches_share_the_bytes_of_an_event(store: Store) -> None:
    hub = listening(store)
    watchers = [hub.begin("things", Selection(), None) for _ in range(3)]
    store.write("things", "ns", "a", thing("a"))
    lines = [event.line(type_) for watcher in watchers for type_, event in await watcher.take(1)]
    assert len(lines) == 3
    assert all(each is lines[0] for each in lines)


def test_history_is_bounded_and_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "HISTORY_CHANGES", 3)
    hub = listening(store)
    for number in range(5):
        store.write("things", "ns", f"t{number}", thing(f"t{number}"))

    assert [event.version for event in hub.since("things", 2)] == [3, 4, 5]
    with pytest.raises(ApiError, match=r"too old resource version: 1 \(2\)") as refused:
        hub.begin("things", Selection(), 1)
    assert refused.value.code == 410


async def test_a_watch_whose_reader_sleeps_is_ended(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "BACKLOG_MAX", 2)
    hub = listening(store)
    watcher = hub.begin("things", Selection(), None)
    for number in range(3):
        store.write("things", "ns", f"t{number}", thing(f"t{number}"))
    assert (await watcher.take(1), watcher.is_lost) == ([], True)


async def test_waiting_ends_with_the_hub(store: Store) -> None:
    hub = listening(store)
    watcher = hub.begin("things", Selection(), None)
    waiting = asyncio.create_task(watcher.take(None))
    await asyncio.sleep(0)
    hub.close()
    assert await waiting == []
