"""Logging: what SERVING_LOGGING_CONFIG says in zap's words, as far as this process writes it (1.2)."""

from __future__ import annotations

from dataplane.logs import LEVELS, TIME_FORMS, LogFormat

from .json_text import decode

CAPITAL_ENCODERS = ("capital", "capitalColor")
TIME_ALIASES = {"RFC3339": "rfc3339", "RFC3339Nano": "rfc3339nano", "ISO8601": "iso8601"}


def read_logging(config: str, level: str) -> LogFormat:
    """The format of our own log lines. Never fails: what is empty, invalid or unknown has its default (DP-005).

    config   zap's JSON: `level`, and of `encoderConfig` the keys of time, level, name and message
             and the encoders of time and level
    level    wins over the configured one
    """
    form = LogFormat()
    try:
        said = decode(config) if config else None
    except ValueError:
        said = None
    if isinstance(said, dict):
        form = _encoder(form, said.get("encoderConfig"))
        form = form.but(level=_level(said.get("level"), form.level))
    return form.but(level=_level(level, form.level))


def _level(name: object, default: int) -> int:
    """zap knows each name in lower and in upper case."""
    if not isinstance(name, str) or name not in (name.lower(), name.upper()):
        return default
    return LEVELS.get(name.lower(), default)


def _encoder(form: LogFormat, said: object) -> LogFormat:
    if not isinstance(said, dict):
        return form
    keys = {"timeKey": "time_key", "levelKey": "level_key", "nameKey": "name_key", "messageKey": "message_key"}
    changes: dict[str, object] = {keys[name]: said[name] for name in keys if isinstance(said.get(name), str)}
    time_form = said.get("timeEncoder")
    if isinstance(time_form, str):
        time_form = TIME_ALIASES.get(time_form, time_form)
        changes["time_form"] = time_form if time_form in TIME_FORMS else "epoch"
    if said.get("levelEncoder") in CAPITAL_ENCODERS:
        changes["level_capital"] = True
    return form.but(**changes)
