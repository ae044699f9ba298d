"""Bundle: the modules that a role imports before its listener is up, in one file.

Finding, opening and reading forty small files costs 4 ms of a start that has
twenty. The launcher's maker writes their code into one file; a module whose
source has changed since is found in the ordinary way.
"""

from __future__ import annotations

import marshal
import posix
import sys
from _frozen_importlib import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType

BYTES_MAX = 1 << 24


class BundleFinder:
    """Finds and loads what a bundle holds.

    modules   name → (file of the source, its time in ns, its bytes, whether it is a package, code)
    """

    __slots__ = ("_modules",)

    def __init__(self, modules: dict[str, tuple[str, int, int, bool, CodeType]]) -> None:
        self._modules = modules

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """None for what is not in the bundle, or no longer as it was."""
        held = self._modules.get(name)
        if held is None:
            return None
        file, time_ns, size, is_package, _ = held
        try:
            now = posix.stat(file)
        except OSError:
            return None
        if (now.st_mtime_ns, now.st_size) != (time_ns, size):
            return None
        spec = ModuleSpec(name, self, origin=file, is_package=is_package)  # type: ignore[arg-type]
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [file.rpartition("/")[0]]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """An ordinary module will do."""

    def exec_module(self, module: ModuleType) -> None:
        exec(self._modules[module.__name__][4], module.__dict__)


def use(path: str) -> None:
    """Imports from this bundle from now on; does nothing when there is none."""
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return
    try:
        modules = marshal.loads(posix.read(fd, BYTES_MAX))
    finally:
        posix.close(fd)
    sys.meta_path.insert(0, BundleFinder(modules))  # type: ignore[arg-type]
