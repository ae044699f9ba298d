"""Image: collects what a role needs to run into one empty folder, the root of its container.

    python -m dataplane.image FOLDER [controller]

The interpreter, the part of the standard library that can be of use, the
system's libraries that any of it is linked with, our modules, and the packages
that pip has put beside them, all as bytecode: a container may not write any.
What a role begins with lies in one bundle beside its script. With `controller`
the controllers are there as well, without what only one machine or a terminal needs.
Certificate authorities lie where Debian has them, so that a volume may replace
them for OpenSSL and gRPC alike (the Containerfile names the file to both).
"""

from __future__ import annotations

import compileall
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from .launcher import PROGRAMS, ROLES, bundle_of, write_bundle, write_launchers

HOME = Path("/app")
OURS = Path(__file__).resolve().parent.parent
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")

STDLIB_UNUSED = {
    "__pycache__", "curses", "dbm", "dist-packages", "distutils", "ensurepip", "idlelib", "lib2to3", "msilib",
    "pydoc_data", "site-packages", "sqlite3", "test", "tkinter", "turtledemo", "unittest", "venv", "wsgiref", "xmlrpc",
    "pydoc.py", "turtle.py", "_pydecimal.py",
}  # fmt: skip
"""Folders and files of the standard library that no role and no package of ours imports."""

DYNLOAD_UNUSED = re.compile(r"_(codecs_|curses|dbm|gdbm|sqlite3|test|tkinter|xx)|nis|ossaudiodev|readline|xx|audioop")
"""Compiled modules of the same kind; readline is the only one that is not free to link."""

TOOLS = re.compile(r"(?i)(pip|setuptools|cython|pyximport|pkg_resources|_distutils_hack|wheel|distutils-precedence)\b")
"""What pip has installed for the build alone."""


def main(words: list[str]) -> int:
    root = Path(words[0])
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = Path("/usr/bin") / version
    place(Path(sys.executable).resolve(), root, python)
    (root / "usr" / "bin" / "python3").symlink_to(version)
    place(AUTHORITIES, root, AUTHORITIES)
    copy_stdlib(Path(sysconfig.get_path("stdlib")), root / "usr" / "lib" / version)
    copy_sources(OURS / "dataplane", root / "app" / "dataplane", {"image.py", "launcher.py"})
    copy_sources(OURS / "ext", root / "app" / "ext", {"building.py", "joining.py", "testing"})
    for folder in words[1:]:
        copy_sources(OURS / folder, root / "app" / folder, {"local", "cli"})
    copy_packages(Path(sysconfig.get_path("purelib")), root / "app" / "packages")
    to_bytecode(root / "usr" / "lib" / version)
    to_bytecode(root / "app")
    objects = [root / python.relative_to("/"), *sorted(root.rglob("*.so")), *sorted(root.rglob("*.so.*"))]
    strip(objects)
    for library in libraries(objects):
        place(library, root, library)
    for script in write_launchers(root / "app", python, HOME, HOME / "packages", moved=HOME):
        write_bundle(bundle_of(script), Path(sys.executable).resolve(), OURS, ROLES[script.name], moved=HOME)
    for name, module in PROGRAMS.items():
        if not (root / "app" / f"{module.replace('.', '/')}.pyc").exists():
            (root / "app" / name).unlink()
    return 0


def place(source: Path, root: Path, path: Path) -> None:
    """Copies a file to a path of the container, following links."""
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def copy_stdlib(source: Path, target: Path) -> None:
    def unused(folder: str, names: list[str]) -> Iterable[str]:
        is_dynload = folder.endswith("lib-dynload")
        for name in names:
            if name in STDLIB_UNUSED or name.startswith("config-") or (is_dynload and DYNLOAD_UNUSED.match(name)):
                yield name

    shutil.copytree(source, target, ignore=lambda folder, names: set(unused(folder, names)))


def copy_sources(source: Path, target: Path, unused: set[str]) -> None:
    """Our Python and the engine, without what it was compiled from."""

    def others(folder: str, names: list[str]) -> set[str]:
        kept = {name for name in names if (Path(folder) / name).is_dir() or name.endswith((".py", ".so"))}
        return (set(names) - kept) | {"__pycache__"} | unused

    shutil.copytree(source, target, ignore=others)


def copy_packages(source: Path, target: Path) -> None:
    """What pip installed to run. Metadata stays: OpenTelemetry finds its parts by entry points."""

    def tools(folder: str, names: list[str]) -> set[str]:
        if Path(folder) == source:
            return {name for name in names if TOOLS.match(name) or name.endswith(".pth")} | {"__pycache__"}
        return {"__pycache__", "RECORD", "tests", "test", "roots.pem"}.intersection(names)

    shutil.copytree(source, target, ignore=tools)


def to_bytecode(folder: Path) -> None:
    """Each module as bytecode in its source's place, which is not looked at again."""
    compileall.compile_dir(
        folder, quiet=2, legacy=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH, maxlevels=20
    )
    for source in folder.rglob("*.py"):
        if source.with_suffix(".pyc").exists():
            source.unlink()


def strip(objects: Iterable[Path]) -> None:
    for file in objects:
        subprocess.run(["strip", "--strip-unneeded", str(file)], check=True)


def libraries(objects: Iterable[Path]) -> Iterator[Path]:
    """The system's libraries that these objects are linked with, and the loader of both."""
    seen: set[str] = set()
    for file in objects:
        said = subprocess.run(["ldd", str(file)], capture_output=True, text=True).stdout
        for name in re.findall(r"(?:=> )?(/\S+) \(0x", said):
            if name not in seen:
                seen.add(name)
                yield Path(name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
