"""The engine: one shared object, many modules.

Every module of this package lives in the one object beside this file; the
finder below hands it to the import system under each of their names.
"""

import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import EXTENSION_SUFFIXES, ExtensionFileLoader

OBJECT = f"{__path__[0]}/_engine{EXTENSION_SUFFIXES[0]}"


class OneObjectFinder:
    """Finds `ext.*` modules whose source is a .pyx inside the one object."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if not name.startswith("ext.") or name in PACKAGES:
            return None
        return ModuleSpec(name, ExtensionFileLoader(name, OBJECT), origin=OBJECT)


PACKAGES = frozenset(
    f"ext.{floor}"
    for floor in (
        "base", "stats", "loop", "http", "admission", "transport", "mux", "upstream", "proxy", "testing", "building",
    )
)  # fmt: skip
sys.meta_path.insert(0, OneObjectFinder)
