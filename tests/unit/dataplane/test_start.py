"""Start: what a sidecar has loaded when its listener is up; every module more is time that a cold start takes."""

from __future__ import annotations

import json
import subprocess

from tests.sidecarfixture import PYTHON, ROOT, environment, own_address

BEGIN = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
TELL = "import posix; posix.write(1, '\\n'.join(sys.modules).encode()); posix._exit(0)\n"

SERVE = """\
from dataplane.roles import queue_proxy

class Listening(queue_proxy.Supervisor):
    def listen(self, *contexts):
        super().listen(*contexts)
        tell()

def tell():
    {tell}
queue_proxy.Supervisor = Listening
queue_proxy.main()
"""
"""Ends as soon as the ports accept."""

OURS = """
dataplane dataplane.errors dataplane.logs dataplane.plan dataplane.supervisor
dataplane.config dataplane.config.addresses dataplane.config.findings dataplane.config.json_text
dataplane.config.logging dataplane.config.observability dataplane.config.probe dataplane.config.read
dataplane.config.schema
dataplane.contract dataplane.contract.env dataplane.contract.ports dataplane.contract.record dataplane.contract.values
dataplane.roles dataplane.roles.queue_proxy
ext ext.engine ext.hosts ext.live ext.plan ext.tls_door
ext.base ext.base.faults
ext.stats ext.stats.busy ext.stats.histogram ext.stats.journal ext.stats.labels ext.stats.series ext.stats.shard
"""
"""Our modules. Of the engine those begin that Python calls; the others are linked (ext/joining.py)."""

OTHERS = {"__future__", "_json", "cython_runtime"}
"""The bundle of the launcher needs no `__future__`."""


def loaded(code: str, **variables: object) -> set[str]:
    """Modules of a bare interpreter that ran this."""
    env = environment(variables)
    done = subprocess.run([str(PYTHON), "-IS", "-c", BEGIN + code], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    # Cython keeps types that its modules share in a module named after its version.
    return {name for name in done.stdout.split() if not name.startswith("_cython_")}


def test_nothing_is_loaded_before_the_listener_that_the_listener_does_not_need() -> None:
    variables = {
        "PENSTOCK_BIND_ADDRESS": own_address(),
        "OBSERVABILITY_CONFIG": json.dumps({"requestMetrics": {"protocol": "prometheus"}}),
        "SERVING_READINESS_PROBE": json.dumps({"tcpSocket": {"host": "127.0.0.1", "port": 8080}}),
        "SERVING_LOGGING_CONFIG": json.dumps({"level": "info"}),
    }
    found = loaded(SERVE.format(tell=TELL), **variables) - loaded(TELL)
    assert found == OTHERS | set(OURS.split())
