"""The engine: two shared objects, many modules.

Every module of this package lives in one of the objects beside this file; the
finder below hands it to the import system under each of their names. OpenSSL
comes only with the second object, when TLS is asked for.
"""

import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import EXTENSION_SUFFIXES, ExtensionFileLoader

ENGINE = f"{__path__[0]}/_engine{EXTENSION_SUFFIXES[0]}"
TLS = f"{__path__[0]}/_tls{EXTENSION_SUFFIXES[0]}"
TLS_MODULES = ("certificates", "fuzz_tls", "tls", "tls_context", "tls_hosts", "tls_peer", "transport")
"""Last names of the modules in the second object, as pyproject.toml lists them: no two modules share one."""


class ObjectFinder:
    """Finds `ext.*` modules whose source is a .pyx inside one of the objects."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if not name.startswith("ext.") or name in PACKAGES:
            return None
        held_by = TLS if name.rpartition(".")[2] in TLS_MODULES else ENGINE
        return ModuleSpec(name, ExtensionFileLoader(name, held_by), origin=held_by)


PACKAGES = frozenset(
    f"ext.{floor}"
    for floor in (
        "base", "stats", "loop", "http", "admission", "transport", "mux", "upstream", "proxy", "testing", "building",
        "joining",
    )
)  # fmt: skip
sys.meta_path.insert(0, ObjectFinder)
