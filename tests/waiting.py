"""Waiting: until something is so that nothing announces, such as a state of another process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.line import PATIENCE_S

POLL_S = 0.003


def until(is_so: Callable[[], Any], what: str | Callable[[], object], patience_s: float = PATIENCE_S) -> Any:
    """Asks again and again; gives what `is_so` gave at last. Fails with `what`, or with what that says by then."""
    end = time.monotonic() + patience_s
    while not (found := is_so()):
        assert time.monotonic() < end, f"after {patience_s:g} s still not: {what() if callable(what) else what}"
        time.sleep(POLL_S)
    return found
