"""Launcher: the script that starts a role, written for one Python and one place.

pip's own scripts start the plain interpreter, which looks for `site` and for
the user's folders: 10 ms that a sidecar does not have. Ours starts isolated and
bare, and puts two folders onto the path, in this order: where `dataplane` lies,
and where pip installs (for OpenTelemetry, which is loaded only when switched on).
"""

from __future__ import annotations
import __future__

import ast
import marshal
import subprocess
import sys
from pathlib import Path

ROLES = {
    "penstock-queue-proxy": ("dataplane.roles.queue_proxy", "dataplane.roles.sidecar", "dataplane.config.addresses"),
}
"""What a role begins with, what it loads next, and what it loads for settings that are often made."""

PROGRAMS = {
    "penstock": "controller.cli.app",
    "penstock-activator": "dataplane.roles.activator",
    "penstock-controller": "controller.__main__",
    "penstock-gateway": "dataplane.roles.gateway",
}
"""Those that start too seldom for a bundle."""

PLAIN = """\
#!{python} -IS
import sys

sys.path.insert(0, {home!r})
sys.path.append({packages!r})
from {module} import main

sys.exit(main())
"""

SCRIPT = """\
#!{python} -IS
import sys
from marshal import loads

sys.path.insert(0, {home!r})
sys.path.append({packages!r})
try:
    with open({bundle!r}, "rb") as file:
        modules = loads(file.read())
except OSError:
    pass
else:
    names = {{"__name__": "dataplane.bundle"}}
    exec(loads(modules["dataplane.bundle"][4]), names)
    names["use"](modules)
    del modules
from {module} import main

sys.exit(main())
"""

SHEBANG_MAX = 255
"""Bytes of a first line that every Linux since 5.1 reads."""


NAMES = """\
import sys
sys.path.insert(0, {home!r})
before = set(sys.modules)
import dataplane.bundle, {modules}
for name, module in sorted(sys.modules.items()):
    if name not in before and (getattr(module, "__file__", None) or "").endswith(".py"):
        print(name, module.__file__, hasattr(module, "__path__"), sep="\\t")
"""
"""Tells what a role imports: name, source and whether it is a package, a line each."""


class Slimmer(ast.NodeTransformer):
    """Leaves out what only readers and type checkers want: docstrings by `optimize`, annotations of functions here.

    Annotations of classes stay, as records are made of them, and so does every line's number.
    """

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = None
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom | None:
        return None if node.module == "__future__" else node


def slim_code(text: str, source: str) -> bytes:
    """The module's code, to be run with annotations that are not evaluated."""
    tree = Slimmer().visit(ast.parse(text, source))
    flags = __future__.annotations.compiler_flag
    return marshal.dumps(compile(tree, source, "exec", flags=flags, dont_inherit=True, optimize=2))


def write_bundle(file: Path, python: Path, home: Path, modules: tuple[str, ...], moved: Path | None = None) -> None:
    """Writes what the role imports at its start into one file (dataplane.bundle).

    moved   where `home` will be when the bundle is used, without its sources; None: where it is
    """
    ask = [str(python), "-IS", "-c", NAMES.format(home=str(home), modules=", ".join(modules))]
    told = subprocess.run(ask, check=True, capture_output=True, text=True).stdout
    held = {}
    for line in told.splitlines():
        name, source, is_package = line.split("\t")
        text, now = Path(source).read_text(), Path(source).stat()
        if moved is not None and Path(source).is_relative_to(home):
            source = str(moved / Path(source).relative_to(home))
        time_ns = now.st_mtime_ns if moved is None else 0
        held[name] = (source, time_ns, now.st_size, is_package == "True", slim_code(text, source))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(marshal.dumps(held))


def write_launchers(folder: Path, python: Path, home: Path, packages: Path, moved: Path | None = None) -> list[Path]:
    """Writes a script for every role and program into `folder`; a role looks for its bundle beside itself.

    python    the interpreter itself, not a link in a virtual environment: a link makes it read pyvenv.cfg
    home      the folder that holds `dataplane` and `ext`
    packages  the folder that pip installs into
    moved     where `folder` will be when a script runs; None: where it is
    Returns   the scripts of roles, which want a bundle
    Raises    ValueError when the path of the interpreter is too long for a first line.
    """
    if len(f"#!{python} -IS") > SHEBANG_MAX or " " in str(python):
        raise ValueError(f"{python} cannot stand in the first line of a script: shorten the path, and avoid spaces")
    written = []
    for name, modules in ROLES.items():
        bundle = bundle_of((moved or folder) / name)
        text = SCRIPT.format(
            python=python, home=str(home), packages=str(packages), module=modules[0], bundle=str(bundle)
        )
        written.append(_write(folder / name, text))
    for name, module in PROGRAMS.items():
        _write(folder / name, PLAIN.format(python=python, home=str(home), packages=str(packages), module=module))
    return written


def _write(script: Path, text: str) -> Path:
    script.write_text(text)
    script.chmod(0o755)
    return script


def bundle_of(script: Path) -> Path:
    """Code is only good for the interpreter that made it, so its version is in the name."""
    return script.with_name(f".{script.name}-{sys.hexversion:x}.bundle")


def main() -> int:
    """Beside the interpreter that runs this, for the folder that this file is in."""
    import sysconfig

    folder = Path(sys.prefix) / "bin"
    home = Path(__file__).resolve().parent.parent
    python = Path(sys.executable).resolve()
    for script in write_launchers(folder, python, home, Path(sysconfig.get_path("purelib"))):
        write_bundle(bundle_of(script), python, home, ROLES[script.name])
        print(script)
    return 0


if __name__ == "__main__":
    sys.exit(main())
