"""Environment: what a sidecar needs to be told, what it says when it was told wrong, and with which status it ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.origin import Origin
from tests.sidecarfixture import (
    ADMIN_PORT,
    BASE,
    MAIN_PORT,
    PYTHON,
    ROOT,
    STATS_PORT,
    Sidecar,
    command,
    own_address,
    refused,
)

Make = Callable[..., Sidecar]

REQUIRED = sorted(set(BASE) - {"SERVING_SERVICE"})
STRINGS_THAT_MAY_BE_EMPTY = {name: "" for name in REQUIRED if name.startswith("SERVING_")}
ALL_OFF = {"tracing": {}, "metrics": {}, "runtime": {}, "requestMetrics": {}}
FOREIGN = {"HOST_IP": "10.0.0.1", "ROOT_CA": "x", "SYSTEM_NAMESPACE": "knative-serving", "PENSTOCK_SERVICE_HOST": "1"}


@pytest.mark.spec("DP-001")
@pytest.mark.parametrize("variable", REQUIRED)
def test_a_missing_variable_ends_the_process_and_is_named(variable: str) -> None:
    status, said = refused(**{variable: None})
    assert status == 1
    assert f"required key {variable} missing value" in said
    assert "Traceback" not in said


@pytest.mark.spec("DP-001", "DP-004")
def test_all_problems_are_told_at_once_one_line_each() -> None:
    wrong = {"SERVING_POD": None, "CONTAINER_CONCURRENCY": "many", "ENABLE_HTTP_FULL_DUPLEX": "perhaps"}
    status, said = refused(**wrong)
    assert status == 1
    lines = said.splitlines()
    for variable, value in wrong.items():
        (line,) = [line for line in lines if variable in line]
        assert value is None or str(value) in line


@pytest.mark.spec("DP-002")
def test_what_is_not_required_may_be_absent(sidecar: Make, origin: Origin) -> None:
    assert sidecar(SERVING_SERVICE=None).get().body == b"hello"


@pytest.mark.spec("DP-003", "DP-005")
def test_required_strings_may_be_empty(sidecar: Make, origin: Origin) -> None:
    assert sidecar(**STRINGS_THAT_MAY_BE_EMPTY).get().body == b"hello"


@pytest.mark.spec("DP-005")
def test_a_broken_logging_configuration_does_not_prevent_start(sidecar: Make, origin: Origin) -> None:
    assert sidecar(SERVING_LOGGING_CONFIG="{", SERVING_LOGGING_LEVEL="loud").get().body == b"hello"


@pytest.mark.spec("DP-006", "DP-008", "DP-009")
@pytest.mark.parametrize(
    "variables",
    [
        {"OBSERVABILITY_CONFIG": "{"},
        {"OBSERVABILITY_CONFIG": '{"requestMetrics":{"protocol":"pigeon"}}'},
        {"SERVING_READINESS_PROBE": "{"},
        {"SERVING_READINESS_PROBE": '[{"tcpSocket":{"port":8080}}]'},
        {"SERVING_READINESS_PROBE": '{"tcpSocket":{"port":8080}}', "ENABLE_MULTI_CONTAINER_PROBES": "true"},
    ],
    ids=["broken-json", "unknown-protocol", "broken-probe", "array-for-one", "one-for-array"],
)
def test_json_that_cannot_be_used_ends_the_process_and_is_named(variables: dict[str, str]) -> None:
    status, said = refused(**variables)
    assert status == 1
    assert next(iter(variables)) in said
    assert "Traceback" not in said


@pytest.mark.spec("DP-007", "DP-010")
def test_empty_sections_and_foreign_variables_start_with_everything_off(sidecar: Make, origin: Origin) -> None:
    started = sidecar(OBSERVABILITY_CONFIG=ALL_OFF, **FOREIGN)
    assert started.get().body == b"hello"
    assert not started.accepts(9091)
    assert not started.accepts(8008)


@pytest.mark.spec("DP-012")
@pytest.mark.parametrize("port", [MAIN_PORT, ADMIN_PORT, STATS_PORT])
def test_a_port_in_use_ends_the_process_and_is_named(port: int) -> None:
    address = own_address()
    with socket.create_server((address, port)):
        status, said = refused(PENSTOCK_BIND_ADDRESS=address)
    assert status == 1
    assert f"port {port} of {address} cannot be bound: Address already in use" in said
    assert "Traceback" not in said


@pytest.mark.spec("DP-013")
def test_before_the_app_listens_the_answer_is_502(sidecar: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as kept:
        port = kept.getsockname()[1]
    answer = sidecar(port).get()
    assert answer.status == 502
    assert b"connection refused" in answer.body


def test_the_version_is_told_without_an_environment() -> None:
    done = subprocess.run([*command(), "--version"], env={}, capture_output=True, check=True)
    assert done.stdout.startswith(b"penstock-queue-proxy ")


READ_ONLY = """
set -e
mount -t tmpfs none /mnt
mkdir /mnt/python /mnt/root /mnt/packages
mount --bind "$PREFIX" /mnt/python
mount --bind "$ROOT" /mnt/root
mount --bind "$PACKAGES" /mnt/packages
mount -o remount,bind,ro /mnt
awk '$4 ~ /(^|,)rw(,|$)/ {print $2}' /proc/self/mounts | sort -r | while read -r where; do
    mount -o remount,bind,ro "$where" 2>/dev/null || true
done
if touch "$FOLDER/written" 2>/dev/null; then echo "a file may be written" >&2; exit 1; fi
cd /
exec setpriv $USER_CHANGE --inh-caps=-all --bounding-set=-all --no-new-privs "$@"
"""
"""Every mount read-only, then no capabilities and, when root may change it, another user."""


@pytest.mark.spec("DP-011")
def test_it_needs_no_writable_file_no_root_and_no_capability(sidecar: Make, origin: Origin, tmp_path: Path) -> None:
    is_root = os.geteuid() == 0
    home, packages = sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")
    prefix = os.path.dirname(os.path.dirname(home))
    inside = {"PREFIX": prefix, "ROOT": str(ROOT), "PACKAGES": packages, "FOLDER": str(tmp_path)}
    inside["USER_CHANGE"] = "--reuid=65532 --regid=65532 --clear-groups" if is_root else ""
    unshare = ("unshare", "-m") if is_root else ("unshare", "-rm")
    python = f"/mnt/python/bin/{PYTHON.name}"
    role = [python, *command()[1:-1], command()[-1].replace(str(ROOT), "/mnt/root").replace(packages, "/mnt/packages")]
    bare = sidecar(argv=role, prefix=(*unshare, "sh", "-c", READ_ONLY, "sh"), PATH=os.environ["PATH"], **inside)
    assert bare.get().body == b"hello"
    status = Path(f"/proc/{bare.pid}/status").read_text()
    said = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
    assert int(said["CapEff"], 16) == 0
    assert not is_root or said["Uid"].split()[0] == "65532"
