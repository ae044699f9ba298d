"""Tree: the files of a folder that make an image: their digest, and their copy.

What is left out: version control, `__pycache__`, and what `.penstockignore`
names. A virtual environment cannot be moved, so the copy has a link to it.
"""

from __future__ import annotations

import fcntl
import fnmatch
import hashlib
import heapq
import os
import shutil
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

LEFT_OUT = frozenset({".git", ".hg", ".svn", "__pycache__"})
"""Folders that change without the program changing."""
IGNORE = ".penstockignore"
"""A pattern on each line, for a name anywhere or a path below the folder; `*` matches `/` too; `#` begins a comment."""
ENVIRONMENT = "pyvenv.cfg"
"""A folder with this file is a virtual environment."""
SIZE_BYTES = 1 << 30
"""What an image may have."""
NAMED = 5
"""So many of the biggest files are named when it has more."""
READ_BYTES = 1 << 20
LINK_MODE = 0o777
"""Links have no mode of their own on Linux."""
FICLONE = 0x40049409
"""Of ioctl: both files share their blocks until one of them is written to."""


class ImageError(Exception):
    """What is to become an image cannot; the text names the field, the value and the fix."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, or a link; folders are there when something is in them."""

    path: str
    """Below the folder."""
    mode: int
    """Permissions."""
    size: int
    target: str | None
    """Where it leads, as it stands in the copy; None: it is a file."""


class Tree:
    """One folder. Every method raises ImageError for what cannot be read."""

    def __init__(self, folder: Path, without: Collection[Path] = ()) -> None:
        """without: folders that are none of it, such as the one that images are kept in."""
        self._folder = folder
        self._without = frozenset(without)
        try:
            self._patterns = _patterns(folder / IGNORE)
            self.entries = sorted(self._found(), key=lambda entry: entry.path)
        except OSError as error:
            raise _unreadable(error) from error

    def check(self, size_bytes: int = SIZE_BYTES) -> None:
        """Raises ImageError that names the biggest files of a tree that is too large."""
        whole = sum(entry.size for entry in self.entries)
        if whole <= size_bytes:
            return
        biggest = heapq.nlargest(NAMED, self.entries, key=lambda entry: entry.size)
        names = ", ".join(f"{entry.path} ({_mib(entry.size)})" for entry in biggest)
        raise ImageError(
            f"folder: {self._folder} has {_mib(whole)}, and an image may have {_mib(size_bytes)}; the biggest files: "
            f"{names}; name what the app does not need in {IGNORE}"
        )

    def digest(self, command: Sequence[str]) -> str:
        """Of the command, and of names, modes and bytes of all files, whatever order the file system has."""
        whole = hashlib.sha256(msgspec.json.encode(list(command)))
        for entry in self.entries:
            whole.update(f"\0{entry.path}\0{entry.mode:o}\0".encode("utf-8", "surrogateescape"))
            whole.update(self._sum(entry) if entry.target is None else os.fsencode(entry.target))
        return f"sha256:{whole.hexdigest()}"

    def copy(self, target: Path) -> None:
        """Into a folder that is not there yet. Nothing is shared but blocks, and those until either is written to."""
        target.mkdir(parents=True)
        try:
            for entry in self.entries:
                made = target / entry.path
                made.parent.mkdir(parents=True, exist_ok=True)
                if entry.target is None:
                    _copy(self._folder / entry.path, made)
                    made.chmod(entry.mode)
                else:
                    made.symlink_to(entry.target)
        except OSError as error:
            raise _unreadable(error) from error

    def _sum(self, entry: Entry) -> bytes:
        found = hashlib.sha256()
        try:
            with (self._folder / entry.path).open("rb") as file:
                while part := file.read(READ_BYTES):
                    found.update(part)
        except OSError as error:
            raise _unreadable(error) from error
        return found.digest()

    def _found(self) -> Iterator[Entry]:
        def refuse(error: OSError) -> None:
            raise error

        for root, folders, names in os.walk(self._folder, onerror=refuse):
            place = Path(root)
            inside = [name for name in folders if self._is_wanted(place / name)]
            links = [name for name in inside if (place / name).is_symlink()]
            environments = [name for name in inside if name not in links and (place / name / ENVIRONMENT).is_file()]
            folders[:] = [name for name in inside if name not in links and name not in environments]
            for name in environments:
                yield Entry(self._below(place / name), LINK_MODE, 0, str(place / name))
            for name in [*names, *links]:
                path = place / name
                if self._is_wanted(path) and (entry := self._entry(path)) is not None:
                    yield entry

    def _entry(self, path: Path) -> Entry | None:
        """None: a socket, a pipe or a device."""
        found = path.lstat()
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISREG(found.st_mode):
            return Entry(self._below(path), mode, found.st_size, None)
        if not stat.S_ISLNK(found.st_mode):
            return None
        target = os.fspath(path.readlink())
        led = Path(os.path.normpath(path.parent / target))
        # A way out of the folder would lead elsewhere from the copy.
        is_inside = os.path.isabs(target) or led.is_relative_to(self._folder)
        return Entry(self._below(path), LINK_MODE, 0, target if is_inside else str(led))

    def _is_wanted(self, path: Path) -> bool:
        below = self._below(path)
        is_named = any(fnmatch.fnmatchcase(one, pattern) for pattern in self._patterns for one in (path.name, below))
        return path.name not in LEFT_OUT and path not in self._without and not is_named

    def _below(self, path: Path) -> str:
        return str(path.relative_to(self._folder))


def _patterns(file: Path) -> tuple[str, ...]:
    lines: list[str] = []
    with suppress(FileNotFoundError):
        lines = file.read_text(errors="replace").splitlines()
    found = (line.partition("#")[0].strip().strip("/") for line in lines)
    return tuple(pattern for pattern in found if pattern)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as one, target.open("wb") as other:
        try:
            fcntl.ioctl(other.fileno(), FICLONE, one.fileno())
        except OSError:
            shutil.copyfileobj(one, other, READ_BYTES)


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):.1f} MiB"


def _unreadable(error: OSError) -> ImageError:
    return ImageError(f"folder: {error.filename} cannot be read or copied: {error.strerror}")
