"""Launcher: the script that starts a role, written for one Python and one place.

pip's own scripts start the plain interpreter, which looks for `site` and for
the user's folders: 10 ms that a sidecar does not have. Ours starts isolated and
bare, and puts two folders onto the path, in this order: where `dataplane` lies,
and where pip installs (for OpenTelemetry, which is loaded only when switched on).
"""

from __future__ import annotations

import sys
from pathlib import Path

ROLES = {"penstock-queue-proxy": "dataplane.roles.queue_proxy"}

SCRIPT = """\
#!{python} -IS
import sys

sys.path.insert(0, {home!r})
sys.path.append({packages!r})
from {module} import main

sys.exit(main())
"""

SHEBANG_MAX = 255
"""Bytes of a first line that every Linux since 5.1 reads."""


def write_launchers(folder: Path, python: Path, home: Path, packages: Path) -> list[Path]:
    """Writes a script for every role into `folder`.

    python    the interpreter itself, not a link in a virtual environment: a link makes it read pyvenv.cfg
    home      the folder that holds `dataplane` and `ext`
    packages  the folder that pip installs into
    Raises    ValueError when the path of the interpreter is too long for a first line.
    """
    if len(f"#!{python} -IS") > SHEBANG_MAX or " " in str(python):
        raise ValueError(f"{python} cannot stand in the first line of a script: shorten the path, and avoid spaces")
    written = []
    for name, module in ROLES.items():
        script = folder / name
        text = SCRIPT.format(python=python, home=str(home), packages=str(packages), module=module)
        script.write_text(text)
        script.chmod(0o755)
        written.append(script)
    return written


def main() -> int:
    """Beside the interpreter that runs this, for the folder that this file is in."""
    import sysconfig

    folder = Path(sys.prefix) / "bin"
    home = Path(__file__).resolve().parent.parent
    for script in write_launchers(folder, Path(sys.executable).resolve(), home, Path(sysconfig.get_path("purelib"))):
        print(script)
    return 0


if __name__ == "__main__":
    sys.exit(main())
