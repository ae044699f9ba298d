"""Image: a name for a copy of a folder, and a command that is run in it.

The digest is made from the content, and the copy lies under it: what is changed
in the user's folder changes no image, so an older revision runs what it ran.
What an app writes into its working directory stays with the image.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from .tree import ImageError, Tree

REGISTRY = "dev.local"
NAME = re.compile(r"[a-z0-9]+([._/-][a-z0-9]+)*")
YOUNG_S = 600.0
"""An image of that age may be about to be named by somebody, so it stays."""
NEWEST = "newest"
PART = ".part-"
"""Begins the name of a copy that is not whole yet."""


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """A folder and what to run in it."""

    name: str
    digest: str
    """`sha256:` and 64 digits."""
    folder: str
    """Its copy."""
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
        tree = Tree(folder, (self._folder.resolve(), self._folder.resolve().parent))
        tree.check()
        digest = tree.digest(command)
        if self.get(f"{REGISTRY}/{name}@{digest}") is None:
            digest = self._take(name, tree, command)
        image = Image(name=name, digest=digest, folder=str(self._tree(name, digest)), command=tuple(command))
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
            image = msgspec.json.decode(self._place(name, digest).read_bytes(), type=Image)
        except (OSError, msgspec.DecodeError):
            return None
        return image if Path(image.folder).is_dir() else None

    def collect(self, wanted: Collection[str], young_s: float = YOUNG_S) -> list[str]:
        """Removes images that are not new, neither wanted nor the newest of their name. Returns their references.

        wanted  references that somebody has, with a digest or without
        """
        kept = {image.reference for one in wanted if (image := self.get(one)) is not None}
        before_s = time.time() - young_s
        gone = []
        for place in self._folder.glob("*/*"):
            try:
                is_young = place.stat().st_mtime > before_s
            except FileNotFoundError:
                continue
            if place.name.startswith(PART) and not is_young:
                shutil.rmtree(place, ignore_errors=True)
            if place.suffix != ".json" or place.stem == NEWEST or is_young:
                continue
            reference = f"{REGISTRY}/{place.parent.name.replace('+', '/')}@sha256:{place.stem}"
            newest = self.get(reference.partition("@")[0])
            if reference in kept or (newest is not None and newest.reference == reference):
                continue
            place.unlink(missing_ok=True)
            shutil.rmtree(place.with_suffix(""), ignore_errors=True)
            gone.append(reference)
        return gone

    def _take(self, name: str, tree: Tree, command: Sequence[str]) -> str:
        """Copies; the digest is the copy's, as somebody may have written in between."""
        part = self._place(name, "").with_name(f"{PART}{os.getpid()}")
        shutil.rmtree(part, ignore_errors=True)
        try:
            tree.copy(part)
            digest = Tree(part).digest(command)
            place = self._tree(name, digest)
            if not place.is_dir():
                part.rename(place)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return digest

    def _tree(self, name: str, digest: str) -> Path:
        return self._place(name, digest).with_suffix("").absolute()

    def _place(self, name: str, digest: str) -> Path:
        return self._folder / name.replace("/", "+") / f"{digest.partition(':')[2] or NEWEST}.json"


def _write(place: Path, body: bytes) -> None:
    """Whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_suffix(f".{os.getpid()}")
    part.write_bytes(body)
    part.replace(place)
