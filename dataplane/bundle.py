"""Bundle: the modules that a role imports as it starts, in one file.

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
    from types import ModuleType


class BundleFinder:
    """Finds and loads what a bundle holds.

    modules   name → (file of the source, its time in ns, its bytes, whether it is a package, code as marshal has it)
    """

    __slots__ = ("_modules",)

    def __init__(self, modules: dict[str, tuple[str, int, int, bool, bytes]]) -> None:
        self._modules = modules

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """None for what is not in the bundle, or no longer as it was. A time of 0 is that of a source left behind."""
        held = self._modules.get(name)
        if held is None:
            return None
        file, time_ns, size, is_package, _ = held
        if time_ns:
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
        """Once for each module: the code is not kept."""
        exec(marshal.loads(self._modules.pop(module.__name__)[4]), module.__dict__)


def use(modules: dict[str, tuple[str, int, int, bool, bytes]]) -> None:
    """Imports from this bundle from now on."""
    sys.meta_path.insert(0, BundleFinder(modules))  # type: ignore[arg-type]
