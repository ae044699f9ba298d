"""Environment and files become settings, or one error that names every problem."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sidecar_env import BASE, problems, settings, warnings

from dataplane.config.read import file_exists, process_environment, read_queue_proxy
from dataplane.config.schema import Drain, Limit, Readiness, Timeouts
from dataplane.contract.env import SidecarEnv
from dataplane.contract.record import fields_of
from dataplane.errors import ConfigError
from dataplane.logs import LogFormat

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.spec("DP-002", "DP-003", "DP-005", "DP-052")
def test_the_smallest_environment_starts_with_everything_off():
    said = settings(SERVING_CONFIGURATION="")
    assert said.limit == Limit(running_max=0, waiting_max=0)
    assert said.timeouts == Timeouts(request_ms=300_000, response_start_ms=None, idle_ms=None)
    assert said.readiness == Readiness()
    assert (said.metrics.protocol, said.tracing, said.request_log, said.certificates) == ("none", None, None, None)
    assert (said.listeners.address, said.listeners.serving_port) == ("::", 8012)
    assert (said.listeners.serving_tls_port, said.listeners.profiling_port) == (None, None)
    assert (said.trusted, said.strict, said.workers, said.warnings) == ((), True, 1, ())
    assert said.logging == LogFormat()


@pytest.mark.spec("DP-001", "DP-004", "DP-008")
def test_all_problems_are_told_at_once_one_line_each():
    environ = BASE | {
        "CONTAINER_CONCURRENCY": "many",
        "QUEUE_SERVING_PORT": "",
        "SERVING_READINESS_PROBE": "{",
        "PENSTOCK_STRICT": "perhaps",
    }
    del environ["SERVING_POD"]
    with pytest.raises(ConfigError) as caught:
        read_queue_proxy(environ, exists=lambda _path: False)
    lines = caught.value.report("penstock-queue-proxy").splitlines()
    assert len(lines) == 5
    assert 'penstock-queue-proxy: CONTAINER_CONCURRENCY: "many" is not an integer; use 0 for no limit' in lines
    assert any("required key SERVING_POD missing value" in line for line in lines)
    assert any("QUEUE_SERVING_PORT: an empty value is not a port" in line for line in lines)
    assert any("SERVING_READINESS_PROBE: not JSON" in line for line in lines)
    assert any('PENSTOCK_STRICT: "perhaps" is not known; use enforce or observe' in line for line in lines)


def test_a_variable_is_named_only_once():
    environ = {name: text for name, text in BASE.items() if name not in ("USER_PORT", "QUEUE_SERVING_PORT")}
    with pytest.raises(ConfigError) as caught:
        read_queue_proxy(environ, exists=lambda _path: False)
    assert [problem.where for problem in caught.value.problems] == ["QUEUE_SERVING_PORT", "USER_PORT"]


@pytest.mark.parametrize("variable", ["QUEUE_SERVING_PORT", "USER_PORT"])
@pytest.mark.parametrize("text", ["", "http", "0", "65536", "-1", " 80", "8080.0"])
def test_what_is_no_port_is_named(variable, text):
    assert [line.split(":")[0] for line in problems(**{variable: text})] == [variable]


def test_the_tls_port_is_judged_only_when_tls_is_on():
    assert settings(QUEUE_SERVING_TLS_PORT="").listeners.serving_tls_port is None
    assert problems(certs=True, QUEUE_SERVING_TLS_PORT="") == [
        "QUEUE_SERVING_TLS_PORT: an empty value is not a port; use 1 to 65535, such as 8112"
    ]


def test_a_port_that_two_would_bind_is_named():
    assert problems(QUEUE_SERVING_PORT="9090") == ['QUEUE_SERVING_PORT: "9090" is the autoscaler\'s port; use another']
    assert problems(certs=True, QUEUE_SERVING_TLS_PORT="8012") == [
        'QUEUE_SERVING_TLS_PORT: "8012" is QUEUE_SERVING_PORT; use another'
    ]


def test_an_app_on_the_sidecar_s_own_port_is_named_unless_their_addresses_differ():
    assert problems(USER_PORT="8012") == [
        'USER_PORT: "8012" is a port of the sidecar itself, QUEUE_SERVING_PORT; use the port of the app'
    ]
    assert settings(USER_PORT="8012", PENSTOCK_BIND_ADDRESS="127.0.0.9").app.port == 8012


@pytest.mark.parametrize(("text", "limit"), [("10", (10, 100)), ("0", (0, 0)), ("-3", (0, 0)), ("1", (1, 10))])
def test_ten_may_wait_for_each_that_runs(text, limit):
    said = settings(CONTAINER_CONCURRENCY=text).limit
    assert (said.running_max, said.waiting_max) == limit


def test_more_slots_than_can_be_counted_are_named():
    assert problems(CONTAINER_CONCURRENCY="2147483648") == [
        "CONTAINER_CONCURRENCY: 2147483648 is above 2147483647; use 0 for no limit"
    ]


def test_timeouts_are_milliseconds_and_off_when_not_above_zero():
    said = settings(
        REVISION_TIMEOUT_SECONDS="-1",
        REVISION_RESPONSE_START_TIMEOUT_SECONDS="0",
        REVISION_IDLE_TIMEOUT_SECONDS="15",
    )
    assert said.timeouts == Timeouts(request_ms=0, response_start_ms=None, idle_ms=15_000)


@pytest.mark.parametrize(
    ("variables", "longest_ms"),
    [
        ({}, 295_000),
        ({"REVISION_TIMEOUT_SECONDS": "0"}, 25_000),
        ({"PENSTOCK_GRACE_PERIOD_MS": "60000"}, 55_000),
        ({"PENSTOCK_GRACE_PERIOD_MS": "3000"}, 1_500),
    ],
)
def test_a_drain_ends_five_seconds_before_the_grace_period_or_at_its_half(variables, longest_ms):
    assert settings(**variables).drain == Drain(quiet_ms=30_000, longest_ms=longest_ms)


def test_telemetry_names_fall_back_in_upstream_s_order():
    assert settings(HOSTNAME="h").identity.telemetry_pod == "h"
    assert settings(HOSTNAME="h", POD_NAME="p").identity.telemetry_pod == "p"
    assert settings().identity.telemetry_service == "hello"
    assert settings(SERVING_SERVICE="s").identity.telemetry_service == "s"
    assert settings(SERVING_SERVICE="s", OTEL_SERVICE_NAME="o").identity.telemetry_service == "o"
    assert settings(SERVING_CONFIGURATION="").identity.telemetry_service == "hello-00001"


@pytest.mark.spec("DP-123")
def test_a_pod_name_that_the_record_has_no_room_for_is_named():
    assert "253" in problems(SERVING_POD="p" * 254)[0]


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PENSTOCK_HEAD_BYTES", "0"),
        ("PENSTOCK_HEAD_TIMEOUT_MS", "0"),
        ("PENSTOCK_WINDOW_BYTES", "1024"),
        ("PENSTOCK_STREAMS_MAX", "-1"),
        ("PENSTOCK_WORKERS", "1000"),
        ("PENSTOCK_QUIET_MS", "-1"),
        ("PENSTOCK_METRIC_NAMES", "all"),
        ("PENSTOCK_APP_PROTOCOL", "http2"),
        ("PENSTOCK_IDLE_TIMEOUT_MS", "-1"),
    ],
)
def test_a_setting_of_ours_outside_its_range_is_named_with_the_range(variable, text):
    (line,) = problems(**{variable: text})
    assert line.startswith(f"{variable}: ")
    assert "; use " in line


def test_a_head_cannot_be_larger_than_all_buffers():
    assert problems(PENSTOCK_HEAD_BYTES="33554433") == [
        "PENSTOCK_HEAD_BYTES: 33554433 is above PENSTOCK_BUFFER_BYTES, 33554432; lower it or raise that"
    ]


def test_a_misspelt_setting_of_ours_is_a_warning():
    assert warnings(PENSTOCK_HEADBYTES="1") == [
        "PENSTOCK_HEADBYTES: is not a setting and is ignored; did you mean PENSTOCK_HEAD_BYTES?"
    ]


@pytest.mark.spec("DP-152")
def test_tls_is_on_only_when_both_files_are_there(tmp_path):
    environ = BASE | {"PENSTOCK_CERT_DIR": str(tmp_path)}
    assert read_queue_proxy(environ).certificates is None
    (tmp_path / "tls.crt").write_text("")
    assert read_queue_proxy(environ).certificates is None
    (tmp_path / "tls.key").write_text("")
    said = read_queue_proxy(environ)
    assert said.certificates is not None
    assert said.certificates.tls.key_file == str(tmp_path / "tls.key")
    assert said.listeners.serving_tls_port == 8112


def test_certificates_that_cannot_be_looked_for_are_named():
    def refuse(path: str) -> bool:
        raise PermissionError(13, "Permission denied", path)

    with pytest.raises(ConfigError, match=r"tls\.crt: Permission denied; let the process look into it"):
        read_queue_proxy(BASE, exists=refuse)


def test_a_file_under_a_file_is_not_there():
    assert file_exists(__file__)
    assert not file_exists(f"{__file__}/tls.crt")


def test_the_process_s_own_environment_is_text():
    assert process_environment()["PATH"]


@hypothesis_settings(deadline=None)
@given(st.dictionaries(st.sampled_from([field.upper() for field in fields_of(SidecarEnv)]), st.text(max_size=30)))
def test_any_environment_gives_settings_or_a_config_error(changes):
    said = ()
    try:
        read_queue_proxy(BASE | changes, exists=lambda _path: True)
    except ConfigError as error:
        said = error.problems
    assert all(str(problem).isprintable() for problem in said)


BARE = """
import sys
sys.path.insert(0, sys.argv[1])
from dataplane.config.read import process_environment, read_queue_proxy
read_queue_proxy(process_environment())
import dataplane.metrics.autoscaler
heavy = {"asyncio", "dataclasses", "typing", "enum", "re", "logging", "json", "inspect", "collections", "urllib",
         "http", "socket", "threading", "os", "site"}
print(",".join(sorted(heavy & set(sys.modules))))
"""


def test_reading_the_usual_environment_loads_nothing_heavy():
    environ = BASE | {
        "OBSERVABILITY_CONFIG": '{"requestMetrics":{"protocol":"prometheus"},"tracing":{},"enableRequestLog":true}',
        "SERVING_READINESS_PROBE": '[{"httpGet":{"path":"/","port":8080,"host":"127.0.0.1","scheme":"HTTP"}}]',
        "ENABLE_MULTI_CONTAINER_PROBES": "true",
        "SERVING_LOGGING_CONFIG": '{"level":"info","encoderConfig":{"timeKey":"ts"}}',
        "PENSTOCK_BIND_ADDRESS": "127.0.0.9",
    }
    command = [sys.executable, "-I", "-S", "-c", BARE, str(ROOT)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "\n"
