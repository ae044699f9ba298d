"""Launcher: the script of a role starts bare, and finds what it needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dataplane import bundle
from dataplane.launcher import ROLES, bundle_of, write_bundle, write_launchers


def launcher_of(folder: Path, source: str) -> Path:
    """A launcher of a home whose queue-proxy is this source."""
    home = folder / "home"
    roles = home / "dataplane" / "roles"
    roles.mkdir(parents=True)
    (roles / "queue_proxy.py").write_text(source)
    (roles / "sidecar.py").write_text("")
    (home / "dataplane" / "config").mkdir()
    (home / "dataplane" / "config" / "addresses.py").write_text("")
    for package in (roles, roles.parent, home / "dataplane" / "config"):
        (package / "__init__.py").write_text("")
    shutil.copy(bundle.__file__, roles.parent / "bundle.py")
    packages = folder / "packages"
    packages.mkdir()
    (packages / "installed.py").write_text("NAME = 'installed'\n")
    python = Path(sys.executable).resolve()
    [script] = write_launchers(folder, python, home, packages)
    return script


def test_every_role_gets_a_launcher(tmp_path: Path) -> None:
    written = write_launchers(tmp_path, Path("/usr/bin/python3"), tmp_path, tmp_path)
    assert [script.name for script in written] == list(ROLES)


def test_a_launcher_ends_with_what_its_role_says(tmp_path: Path) -> None:
    script = launcher_of(tmp_path, "def main():\n    return 7\n")
    assert subprocess.run([script]).returncode == 7


def test_a_launcher_loads_no_site_and_finds_installed_packages(tmp_path: Path) -> None:
    source = "import sys, installed\n\ndef main():\n    print('site' in sys.modules, installed.NAME)\n"
    script = launcher_of(tmp_path, source)
    assert subprocess.run([script], capture_output=True, text=True).stdout == "False installed\n"


def test_an_interpreter_that_no_first_line_can_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="first line"):
        write_launchers(tmp_path, Path("/opt/my python/bin/python3"), tmp_path, tmp_path)


def bundled(tmp_path: Path, source: str) -> tuple[Path, Path]:
    """A launcher with its bundle, and the source of its role."""
    script = launcher_of(tmp_path, source)
    home = tmp_path / "home"
    write_bundle(bundle_of(script), Path(sys.executable).resolve(), home, ROLES[script.name])
    return script, home / "dataplane" / "roles" / "queue_proxy.py"


def test_a_role_comes_out_of_its_bundle(tmp_path: Path) -> None:
    source = "import sys\n\ndef main():\n    return 3 if __spec__.loader is sys.meta_path[0] else 4\n"
    script, _ = bundled(tmp_path, source)
    assert subprocess.run([script]).returncode == 3


def test_a_source_that_has_changed_beats_the_bundle(tmp_path: Path) -> None:
    script, role = bundled(tmp_path, "def main():\n    return 3\n")
    role.write_text("def main():\n    return 55\n")
    assert subprocess.run([script]).returncode == 55


def test_a_bundle_needs_no_sources_where_it_was_made_for(tmp_path: Path) -> None:
    script, _ = bundled(tmp_path, "def main():\n    return 3\n")
    python, home = Path(sys.executable).resolve(), tmp_path / "home"
    place = tmp_path / "container"
    [script] = write_launchers(tmp_path, python, place / "home", place / "packages", moved=place)
    write_bundle(bundle_of(script), python, home, ROLES[script.name], moved=place / "home")
    place.mkdir()
    moved = [path.rename(place / path.name) for path in (script, bundle_of(script))]
    shutil.rmtree(home)
    assert subprocess.run(moved[:1]).returncode == 3


def test_a_launcher_whose_bundle_is_lost_finds_the_sources(tmp_path: Path) -> None:
    script, _ = bundled(tmp_path, "def main():\n    return 3\n")
    bundle_of(script).unlink()
    assert subprocess.run([script]).returncode == 3


def test_a_bundle_keeps_what_records_and_tracebacks_are_made_of(tmp_path: Path) -> None:
    source = '''"""Told to readers."""

from __future__ import annotations

class Some:
    """A record."""

    field: NoSuchName = 1

def main(one: NoSuchName = None) -> NoSuchName:
    """Told to readers."""
    try:
        return 1 // 0
    except ZeroDivisionError as error:
        line = error.__traceback__.tb_lineno
    print(__doc__, main.__doc__, main.__annotations__, Some.__annotations__, line)
'''
    script, _ = bundled(tmp_path, source)
    said = subprocess.run([script], capture_output=True, text=True).stdout
    assert said == "None None {} {'field': 'NoSuchName'} 13\n"
