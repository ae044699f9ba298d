"""Log: what a container has printed, as files NAMESPACE/POD/CONTAINER.log that outlive pod and node.

Containers write into their file themselves. One that has grown past its size
is copied away and cut, which may lose what is printed between the two (some
microseconds), and never makes anybody wait.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from pathlib import Path

SIZE_BYTES = 10 << 20
"""Of one file."""
FILES = 3
"""Of one container: the one that is written, and older ones `.1`, `.2`."""
LOOK_S = 2.0
"""How often sizes are looked at; a flood may be that much larger."""
PODS_KEPT = 200
"""Whose logs stay when they have ended."""
TAIL_BYTES, TAIL_LINES = 2048, 80
"""What becomes the message of a container that failed (FallbackToLogsOnError)."""
READ_BYTES = 64 << 10

IN_MODIFY, IN_MOVE_SELF, IN_CLOEXEC, IN_NONBLOCK = 0x2, 0x800, 0o2000000, 0o4000


class LogFolder:
    """All logs of one node."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, namespace: str, pod: str, container: str, *, previous: bool = False) -> Path:
        """previous: of the run before the last restart."""
        return self.root / namespace / pod / f"{container}{'.previous' if previous else ''}.log"

    def begin(self, namespace: str, pod: str, container: str) -> Path:
        """The file for a new run of a container; that of the run before is kept as the previous one."""
        path = self.path(namespace, pod, container)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileNotFoundError):
            path.replace(self.path(namespace, pod, container, previous=True))
        return path

    async def keep_small(self, running: Callable[[], set[tuple[str, str]]]) -> None:
        """Until cancelled. running: namespaces and names of the pods whose logs are needed."""
        while True:
            await asyncio.sleep(LOOK_S)
            for path in self.root.glob("*/*/*.log"):
                with suppress(OSError):
                    if path.stat().st_size > SIZE_BYTES:
                        await asyncio.to_thread(rotate, path)
            self._prune(running())

    def _prune(self, running: set[tuple[str, str]]) -> None:
        """Only so many pods that have ended are remembered."""
        ended = [path for path in self.root.glob("*/*") if (path.parent.name, path.name) not in running]
        if len(ended) > PODS_KEPT:
            ended.sort(key=lambda path: path.stat().st_mtime)
            for path in ended[: len(ended) - PODS_KEPT]:
                shutil.rmtree(path, ignore_errors=True)


def rotate(path: Path) -> None:
    """Copies a file away, and empties it; whoever writes goes on at its new beginning."""
    for number in range(FILES - 1, 1, -1):
        with suppress(FileNotFoundError):
            path.with_suffix(f".log.{number - 1}").replace(path.with_suffix(f".log.{number}"))
    with path.open("rb+") as source, path.with_suffix(".log.1").open("wb") as target:
        shutil.copyfileobj(source, target)
        source.truncate(0)


def tail(path: Path, lines: int = TAIL_LINES, size: int = TAIL_BYTES) -> str:
    """The last lines, as text; empty when there is nothing."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - size))
            found = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "".join(found.splitlines(keepends=True)[-lines:])


async def read(
    path: Path, *, lines: int | None = None, until: asyncio.Event | None = None
) -> AsyncGenerator[bytes, None]:
    """A log in parts.

    lines  only so many at its end
    until  go on until that happens, or the container is started again
    """
    changes = Changes(path) if until is not None else None
    over = asyncio.ensure_future(_over(until, changes)) if until is not None and changes is not None else None
    try:
        with path.open("rb") as file:
            file.seek(_start(path, lines))
            while True:
                while part := file.read(READ_BYTES):
                    yield part
                if changes is None or changes.is_over:
                    return
                if os.fstat(file.fileno()).st_size < file.tell():
                    file.seek(0)
                    continue
                await changes.next()
    finally:
        if changes is not None:
            changes.close()
        if over is not None:
            over.cancel()


async def limited(parts: AsyncGenerator[bytes, None], size: int) -> AsyncGenerator[bytes, None]:
    """The first bytes of a log, at most so many; it ends with them."""
    async with aclosing(parts):
        async for part in parts:
            yield part[:size]
            size -= len(part)
            if size <= 0:
                return


async def _over(until: asyncio.Event, changes: Changes) -> None:
    await until.wait()
    changes.end()


def _start(path: Path, lines: int | None) -> int:
    """Where the last so many lines begin."""
    if lines is None:
        return 0
    with path.open("rb") as file:
        at = end = file.seek(0, os.SEEK_END)
        # The line feed at the end of a file ends its last line and begins none.
        found = -1 if end and _byte(file.fileno(), end - 1) == b"\n" else 0
        while at > 0:
            start = max(0, at - READ_BYTES)
            block = os.pread(file.fileno(), at - start, start)
            for offset in range(len(block) - 1, -1, -1):
                if block[offset] == 10:
                    found += 1
                    if found == lines:
                        return start + offset + 1
            at = start
    return 0 if lines else end


def _byte(descriptor: int, at: int) -> bytes:
    return os.pread(descriptor, 1, at)


class Changes:
    """Tells when a file was written to (inotify). Raises OSError when the system has no more watches to give.

    is_over   nothing will be written to it any more
    """

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(IN_CLOEXEC | IN_NONBLOCK)
        if (
            self._descriptor < 0
            or libc.inotify_add_watch(self._descriptor, os.fsencode(path), IN_MODIFY | IN_MOVE_SELF) < 0
        ):
            number = ctypes.get_errno()
            self.close()
            raise OSError(number, os.strerror(number), str(path))
        self._event = asyncio.Event()
        self.is_over = False
        asyncio.get_running_loop().add_reader(self._descriptor, self._on_change)

    async def next(self) -> None:
        """Returns after the next change, or at once when there was one since the last call."""
        await self._event.wait()
        self._event.clear()

    def close(self) -> None:
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _on_change(self) -> None:
        with suppress(BlockingIOError):
            found = os.read(self._descriptor, 4096)
            # Watched without a name, so every event is the same 16 bytes: number, mask, and two more.
            masks = [int.from_bytes(found[at + 4 : at + 8], sys.byteorder) for at in range(0, len(found), 16)]
            self.is_over = self.is_over or any(mask & IN_MOVE_SELF for mask in masks)
        self._event.set()

    def end(self) -> None:
        """Whoever listens gets what is there, and no more."""
        self.is_over = True
        self._event.set()
