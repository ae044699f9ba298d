"""Sanitize: runs the tests of the engine under the sanitizers of gcc, and counts their reports.

    python -m tests.sanitize [address] [thread] [-- arguments of pytest]

Each sanitizer gets a copy of the project under build/, with the engine compiled
for it and a virtual environment that borrows the packages of ours; so whatever a
test starts, it starts from the copy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.house.sources import ROOT, files


@dataclass(frozen=True, slots=True)
class Sanitizer:
    """One way to build the engine, and the tests that are worth running on it."""

    name: str
    flags: str
    libraries: tuple[str, ...]
    options: dict[str, str]
    tests: tuple[str, ...]

    @property
    def home(self) -> Path:
        return ROOT / "build" / self.name

    @property
    def reports(self) -> Path:
        return self.home / "reports"


ADDRESS = Sanitizer(
    name="asan",
    flags="-fsanitize=address,undefined -fno-omit-frame-pointer -DEXT_DEBUG=1 -O1",
    libraries=("libasan.so", "libubsan.so"),
    # Python keeps what it has until it ends: leaks are counted by the engine itself (EXT_DEBUG).
    options={"ASAN_OPTIONS": "detect_leaks=0:log_path={log}", "UBSAN_OPTIONS": "print_stacktrace=1:log_path={log}"},
    tests=("tests/wire", "tests/adversity", "tests/regress", "tests/unit/ext"),
)
THREAD = Sanitizer(
    name="tsan",
    flags="-fsanitize=thread -DEXT_DEBUG=1 -O1",
    libraries=("libtsan.so",),
    # The interpreter is not compiled for it and would be blamed for its own locks.
    options={"TSAN_OPTIONS": "ignore_noninstrumented_modules=1:log_path={log}"},
    tests=("tests/unit/ext/admission", "tests/unit/ext/loop", "tests/unit/ext/stats", "tests/unit/ext/upstream"),
)
SANITIZERS = {"address": ADDRESS, "thread": THREAD}


def copy_project(home: Path) -> None:
    """All kept files, with their times, so that only what has changed is compiled again."""
    for file in files():
        target = home / file
        if not target.exists() or target.stat().st_mtime != (ROOT / file).stat().st_mtime:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, target)


def make_environment(home: Path) -> Path:
    """A virtual environment that shares the packages of ours; its interpreter."""
    ours, theirs = Path(sys.prefix), home / ".venv"
    python = theirs / "bin" / "python"
    if not python.exists():
        python.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ours / "pyvenv.cfg", theirs / "pyvenv.cfg")
        (theirs / "lib").symlink_to(ours / "lib")
        python.symlink_to(Path(sys.executable).resolve())
    return python


def preload(sanitizer: Sanitizer) -> str:
    found = [
        subprocess.run(
            ["gcc", f"-print-file-name={library}"], check=True, capture_output=True, text=True
        ).stdout.strip()
        for library in sanitizer.libraries
    ]
    return " ".join(found)


def surroundings(sanitizer: Sanitizer) -> dict[str, str]:
    """The environment of whatever loads the engine of the copy."""
    log = str(sanitizer.reports / "report")
    options = {name: value.format(log=log) for name, value in sanitizer.options.items()}
    return os.environ | options | {"LD_PRELOAD": preload(sanitizer), "PYTHONMALLOC": "malloc"}


def build(sanitizer: Sanitizer) -> Path:
    """Compiles the engine and writes the launchers; the interpreter of the copy."""
    copy_project(sanitizer.home)
    python = make_environment(sanitizer.home)
    environment = os.environ | {"EXT_CFLAGS": sanitizer.flags, "EXT_LDFLAGS": sanitizer.flags.split()[0]}
    setup = [str(python), "-c", "from setuptools import setup; setup()", "-q", "build_ext", "--inplace"]
    subprocess.run(setup, cwd=sanitizer.home, env=environment, check=True)
    launchers = [str(python), "-m", "dataplane.launcher"]  # which imports the engine, so its sanitizer has to be there
    subprocess.run(launchers, cwd=sanitizer.home, env=surroundings(sanitizer), check=True, capture_output=True)
    return python


def run(sanitizer: Sanitizer, arguments: Sequence[str]) -> int:
    """How many reports there were; a failed test counts as one."""
    shutil.rmtree(sanitizer.reports, ignore_errors=True)
    sanitizer.reports.mkdir(parents=True)
    python = build(sanitizer)
    tests = [test for test in sanitizer.tests if (sanitizer.home / test).exists()]
    command = [str(python), "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *(arguments or tests)]
    failed = subprocess.run(command, cwd=sanitizer.home, env=surroundings(sanitizer)).returncode != 0
    reports = sorted(sanitizer.reports.iterdir())
    for report in reports:
        print(f"--- {report.relative_to(ROOT)}", report.read_text(errors="replace")[:4000], sep="\n")
    print(f"sanitize: {sanitizer.name}: {len(reports)} reports" + (", and tests failed" if failed else ""))
    return len(reports) + failed


def main(words: Sequence[str]) -> int:
    names, arguments = list(words), []
    if "--" in names:
        at = names.index("--")
        names, arguments = names[:at], names[at + 1 :]
    unknown = [name for name in names if name not in SANITIZERS]
    if unknown:
        print(f"sanitize: {', '.join(unknown)} is not known; use {' or '.join(SANITIZERS)}", file=sys.stderr)
        return 2
    return min(1, sum(run(SANITIZERS[name], arguments) for name in names or SANITIZERS))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
