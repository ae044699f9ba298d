"""Image: a name for a folder and a command on this machine.

The digest is made from the content, so another content is another image. The
folder itself is used where it lies, and not copied: what is changed in it
counts for every process that is started from then on, of older digests too.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

REGISTRY = "dev.local"
LEFT_OUT = frozenset({".git", "__pycache__"})
"""Folders that change without the program changing."""

NAME = re.compile(r"[a-z0-9]+([._/-][a-z0-9]+)*")
READ_BYTES = 1 << 20


class ImageError(Exception):
    """What is to become an image cannot; the text names the field, the value and the fix."""


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """A folder and what to run in it."""

    name: str
    digest: str
    """`sha256:` and 64 digits."""
    folder: str
    command: tuple[str, ...]

    @property
    def reference(self) -> str:
        """As a container names it."""
        return f"{REGISTRY}/{self.name}@{self.digest}"


class Images:
    """Those that this machine has, as JSON files: one for each digest, and one for the newest of a name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, folder: Path, command: Sequence[str]) -> str:
        """Takes a folder as an image. Returns its reference, digest included.

        Raises  ImageError
        """
        if not NAME.fullmatch(name):
            raise ImageError(f'name: "{name}" is no image name; use lower case letters, digits, and -._/ between them')
        folder = folder.resolve()
        if not folder.is_dir():
            raise ImageError(f"folder: {folder} is not there, or no folder")
        if not command:
            raise ImageError("command: it is empty; say what starts the app")
        image = Image(name=name, digest=content_digest(folder, command), folder=str(folder), command=tuple(command))
        body = msgspec.json.format(msgspec.json.encode(image))
        for place in (self._place(name, image.digest), self._place(name, "")):
            _write(place, body)
        return image.reference

    def get(self, reference: str) -> Image | None:
        """The image of a reference, with a digest or without one (then the newest); None: it is not here."""
        registry, _, rest = reference.partition("/")
        name, _, digest = rest.partition("@")
        name = name.partition(":")[0]
        if registry != REGISTRY or not NAME.fullmatch(name) or "/" in digest:
            return None
        try:
            return msgspec.json.decode(self._place(name, digest).read_bytes(), type=Image)
        except (OSError, msgspec.DecodeError):
            return None

    def _place(self, name: str, digest: str) -> Path:
        return self._folder / name.replace("/", "+") / f"{digest.partition(':')[2] or 'newest'}.json"


def content_digest(folder: Path, command: Sequence[str]) -> str:
    """Of the command, and of names, modes and bytes of all files, whatever order the file system has."""
    whole = hashlib.sha256(msgspec.json.encode(list(command)))
    for path in _files(folder):
        mode = path.lstat().st_mode
        said = f"\0{path.relative_to(folder)}\0{stat.S_IMODE(mode):o}\0"
        whole.update(said.encode("utf-8", "surrogateescape"))
        if stat.S_ISLNK(mode):
            whole.update(os.fsencode(path.readlink()))
        elif stat.S_ISREG(mode):
            _update(whole, path)
    return f"sha256:{whole.hexdigest()}"


def _files(folder: Path) -> Iterator[Path]:
    """All but folders, sorted; nothing behind links, and no sockets or pipes."""
    for root, folders, names in os.walk(folder):
        links = [name for name in folders if Path(root, name).is_symlink()]
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT and name not in links)
        for name in sorted([*names, *links]):
            path = Path(root, name)
            if stat.S_ISLNK(mode := path.lstat().st_mode) or stat.S_ISREG(mode):
                yield path


def _update(whole: hashlib._Hash, path: Path) -> None:
    size = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while part := file.read(READ_BYTES):
                size.update(part)
    except OSError as error:
        raise ImageError(f"folder: {path} cannot be read: {error.strerror}") from error
    whole.update(size.digest())


def _write(place: Path, body: bytes) -> None:
    """Whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_suffix(f".{os.getpid()}")
    part.write_bytes(body)
    part.replace(place)
