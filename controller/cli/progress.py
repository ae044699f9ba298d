"""Progress: what is being waited for, on standard error: a line that changes for people, lines for files."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.status import Status


class Progress:
    """Use as a context. Nothing is shown when `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._last = ""
        self._status: Status | None = None
        self._began_s = time.monotonic()

    def __enter__(self) -> Progress:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def pause(self) -> None:
        """The line goes away until there is something to say again."""
        if self._status is not None:
            self._status.stop()

    @property
    def took_s(self) -> float:
        return time.monotonic() - self._began_s

    def say(self, text: str) -> None:
        """What is waited for now."""
        text = text.strip().partition("\n")[0]
        if self._quiet or text == self._last:
            return
        self._last = text
        if self._status is not None:
            from rich.markup import escape

            self._status.update(escape(text))
            self._status.start()
        else:
            print(f"{self.took_s:6.1f} s  {text}", file=sys.stderr, flush=True)
