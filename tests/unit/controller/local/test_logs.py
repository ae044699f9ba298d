"""Logs: kept, rotated, followed."""

import asyncio

import pytest

from controller.local import logs
from controller.local.logs import LogFolder, read, rotate, tail


async def whole(parts):
    return b"".join([part async for part in parts])


@pytest.fixture
def path(tmp_path):
    found = LogFolder(tmp_path).begin("default", "hello-1", "app")
    found.write_bytes(b"".join(b"line %d\n" % number for number in range(1000)))
    return found


async def test_the_last_lines_are_read(path):
    assert await whole(read(path, lines=2)) == b"line 998\nline 999\n"
    assert await whole(read(path, lines=0)) == b""
    assert len((await whole(read(path))).splitlines()) == 1000
    assert await whole(read(path, lines=5000)) == path.read_bytes()


async def test_a_last_line_without_end_counts(path):
    with path.open("ab") as file:
        file.write(b"rest")
    assert await whole(read(path, lines=2)) == b"line 999\nrest"


async def test_following_ends_with_the_pod(path):
    over = asyncio.Event()
    parts = read(path, lines=0, until=over)
    following = asyncio.ensure_future(anext(parts))
    await asyncio.sleep(0)
    with path.open("ab") as file:
        file.write(b"more\n")
    async with asyncio.timeout(10):
        assert await following == b"more\n"
        over.set()
        assert await whole(parts) == b""


async def test_following_ends_when_the_container_starts_again(tmp_path, path):
    parts = read(path, lines=1, until=asyncio.Event())
    async with asyncio.timeout(10):
        assert await anext(parts) == b"line 999\n"
        LogFolder(tmp_path).begin("default", "hello-1", "app").touch()
        assert await whole(parts) == b""
    previous = LogFolder(tmp_path).path("default", "hello-1", "app", previous=True)
    assert len(previous.read_bytes().splitlines()) == 1000


async def test_following_goes_on_after_a_rotation(path):
    parts = read(path, lines=1, until=asyncio.Event())
    async with asyncio.timeout(10):
        await anext(parts)
        rotate(path)
        with path.open("ab") as file:
            file.write(b"new\n")
        assert await anext(parts) == b"new\n"
    await parts.aclose()


def test_a_rotation_keeps_three_files_and_whoever_writes_goes_on(path):
    with path.open("ab") as writer:
        for text in (b"second\n", b"third\n", b"fourth\n"):
            rotate(path)
            writer.write(text)
            writer.flush()
    assert path.read_bytes() == b"fourth\n"
    assert path.with_suffix(".log.1").read_bytes() == b"third\n"
    assert path.with_suffix(".log.2").read_bytes() == b"second\n"
    assert not path.with_suffix(".log.3").exists()


def test_a_tail_is_bounded_by_lines_and_bytes(path):
    assert tail(path, lines=1) == "line 999\n"
    assert len(tail(path)) <= logs.TAIL_BYTES
    assert tail(path.with_name("none")) == ""


async def test_large_files_are_rotated_and_pods_that_ended_are_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "LOOK_S", 0.01)
    monkeypatch.setattr(logs, "SIZE_BYTES", 10)
    monkeypatch.setattr(logs, "PODS_KEPT", 1)
    folder = LogFolder(tmp_path)
    paths = [folder.begin("default", name, "app") for name in ("running", "one", "two")]
    for path in paths:
        path.write_text("more than ten bytes")
    keeping = asyncio.ensure_future(folder.keep_small(lambda: {("default", "running")}))
    async with asyncio.timeout(10):
        while len(list(tmp_path.glob("default/*"))) > 2 or paths[0].stat().st_size:
            await asyncio.sleep(0.01)
    keeping.cancel()
    assert paths[0].with_suffix(".log.1").read_text() == "more than ten bytes"


@pytest.mark.parametrize(("size", "found"), [(1, b"o"), (4, b"one\n"), (6, b"one\ntw"), (99, b"one\ntwo\n")])
async def test_a_log_is_cut_after_so_many_bytes(tmp_path, size, found):
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\n")
    assert b"".join([part async for part in logs.limited(logs.read(path), size)]) == found


async def test_a_log_that_is_followed_ends_with_its_last_wanted_byte(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"one\n")
    parts = logs.limited(logs.read(path, until=asyncio.Event()), 4)
    assert [part async for part in parts] == [b"one\n"]
