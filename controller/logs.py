"""Logs: the process's own words as one JSON object per line, under the same keys as the data plane's."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import TextIO

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_NAMES = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warn",
    logging.ERROR: "error",
    logging.CRITICAL: "fatal",
}


class JsonLines(logging.Formatter):
    """One object, one line, whatever the message holds."""

    def format(self, record: logging.LogRecord) -> str:
        day = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told = {
            "severity": _NAMES.get(record.levelno, record.levelname.lower()),
            "timestamp": f"{day}.{int(record.created % 1 * 1000):03d}Z",
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["stacktrace"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def start(level: str, stream: TextIO = sys.stderr) -> None:
    """Everything that is logged from now on; libraries from their warnings on.

    level   a key of LEVELS
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("penstock").setLevel(LEVELS[level])
