"""Story: `make demo` ends well, with every request answered."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from dataplane.launcher import write_launchers
from tests.sidecarfixture import PYTHON, ROOT
from tests.system.tools import output

RUN = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import loadtests.sidecar
loadtests.sidecar.BINARY = pathlib.Path(sys.argv[2])
from loadtests.story import main
sys.exit(main())
"""


def test_every_part_ends_well(tmp_path: Path) -> None:
    (launcher,) = write_launchers(tmp_path, PYTHON, ROOT, Path(sysconfig.get_path("purelib")))
    said = output(sys.executable, "-c", RUN, ROOT, launcher, patience_s=280)
    assert "answered by hello-00001" in said
    assert "requests, 0 of them failed" in said
