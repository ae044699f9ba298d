"""Observability: what sidecars log, count and trace, from config-observability (SC 3.12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from controller.api.values import NS_PER_S
from controller.config.reader import Reader

METRIC_PROTOCOLS = ("none", "prometheus", "grpc", "http/protobuf")
TRACE_PROTOCOLS = ("none", "stdout", "grpc", "http/protobuf")
PROFILING = ("enabled", "disabled")


class Observability(msgspec.Struct, frozen=True, kw_only=True):
    """What was said; what was not is left to the sidecar's own defaults."""

    document: str = "{}"
    """OBSERVABILITY_CONFIG of every sidecar: JSON, as serving-dataplane.md 1.2 has it."""


def read(data: Mapping[str, str]) -> tuple[Observability, list[str]]:
    """Settings, and every problem of the map; a value with a problem is left out."""
    reader = Reader(data)
    made: dict[str, Any] = {
        "tracing": _tracing(reader),
        "metrics": _metrics(reader, "metrics"),
        "runtime": _runtime(reader),
        "requestMetrics": _metrics(reader, "request-metrics"),
        "enableRequestLog": reader.boolean(False, "logging.enable-request-log"),
        "enableProbeRequestLog": reader.boolean(False, "logging.enable-probe-request-log"),
        "requestLogTemplate": reader.said("logging.request-log-template"),
    }
    # An empty template is said as well: it is how the log is switched off (1.15).
    said = {name: value for name, value in made.items() if value or value == ""}
    return Observability(document=msgspec.json.encode(said).decode()), reader.problems


def _metrics(reader: Reader, prefix: str) -> dict[str, Any]:
    return _said(
        protocol=_one_of(reader, METRIC_PROTOCOLS, f"{prefix}-protocol"),
        endpoint=reader.text("", f"{prefix}-endpoint"),
        exportInterval=_interval_ns(reader, f"{prefix}-export-interval"),
    )


def _tracing(reader: Reader) -> dict[str, Any]:
    rate = reader.number(0.0, "tracing-sampling-rate")
    if not 0 <= rate <= 1:
        reader.refuse(f"tracing-sampling-rate = {rate:g}, must be from 0 to 1")
        rate = 0.0
    return _said(
        protocol=_one_of(reader, TRACE_PROTOCOLS, "tracing-protocol"),
        endpoint=reader.text("", "tracing-endpoint"),
        samplingRate=rate,
    )


def _runtime(reader: Reader) -> dict[str, Any]:
    return _said(
        profiling=_one_of(reader, PROFILING, "runtime-profiling"),
        exportInterval=_interval_ns(reader, "runtime-export-interval"),
    )


def _one_of(reader: Reader, choices: tuple[str, ...], key: str) -> str:
    """Empty: not said."""
    said = reader.text("", key)
    if said in ("", *choices):
        return said
    reader.refuse(f"{key} = {said}, must be {', '.join(choices[:-1])} or {choices[-1]}")
    return ""


def _interval_ns(reader: Reader, key: str) -> int:
    """0: not said."""
    seconds = reader.duration_s(0.0, key)
    reader.require(seconds >= 0, f"{key} cannot be negative, was: {reader.text('', key)}")
    return max(0, round(seconds * NS_PER_S))


def _said(**values: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
