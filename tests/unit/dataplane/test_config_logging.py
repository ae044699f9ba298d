"""zap's configuration, as far as it is honoured."""

from __future__ import annotations

import json

import pytest

from dataplane.config.logging import read_logging
from dataplane.logs import DEBUG, ERROR, FATAL, INFO, WARN, LogFormat

KNATIVE = {
    "level": "info",
    "development": False,
    "outputPaths": ["stdout"],
    "errorOutputPaths": ["stderr"],
    "encoding": "json",
    "encoderConfig": {
        "timeKey": "ts",
        "levelKey": "level",
        "nameKey": "logger",
        "callerKey": "caller",
        "messageKey": "msg",
        "stacktraceKey": "stacktrace",
        "lineEnding": "",
        "levelEncoder": "",
        "timeEncoder": "iso8601",
        "durationEncoder": "",
        "callerEncoder": "",
    },
}


@pytest.mark.spec("DP-005")
@pytest.mark.parametrize("config", ["", "{", "[]", "7", '"info"', '{"level":7,"encoderConfig":[]}', "null"])
def test_an_unusable_configuration_gives_the_default(config):
    assert read_logging(config, "") == LogFormat()


def test_knative_s_own_configuration_is_honoured():
    assert read_logging(json.dumps(KNATIVE), "") == LogFormat(time_key="ts", level_key="level", message_key="msg")


@pytest.mark.parametrize(
    ("configured", "override", "level"),
    [
        ("warn", "", WARN),
        ("warn", "debug", DEBUG),
        ("warn", "loud", WARN),
        ("WARN", "ERROR", ERROR),
        ("Warn", "", INFO),
        ("panic", "", FATAL),
    ],
)
def test_the_override_wins_when_it_is_a_level(configured, override, level):
    assert read_logging(json.dumps({"level": configured}), override).level == level


@pytest.mark.parametrize(
    ("encoder", "form"),
    [
        ("rfc3339nano", "rfc3339nano"),
        ("RFC3339", "rfc3339"),
        ("millis", "millis"),
        ("", "epoch"),
        ("unknown", "epoch"),
    ],
)
def test_time_has_zap_s_forms(encoder, form):
    assert read_logging(json.dumps({"encoderConfig": {"timeEncoder": encoder}}), "").time_form == form


def test_levels_may_be_capital():
    assert read_logging('{"encoderConfig":{"levelEncoder":"capital"}}', "").level_capital
