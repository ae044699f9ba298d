"""Bare: a Python without `site`, as the sidecar's is, and what importing costs there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def loaded_by(*modules: str) -> set[str]:
    """All that is in sys.modules once these have been imported."""
    code = f"import sys; sys.path.insert(0, sys.argv[1]); import {', '.join(modules)}; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", code, str(ROOT)]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
