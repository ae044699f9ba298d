"""queue-proxy: the sidecar of one pod; one target, the app beside it.

Configured by Knative's sidecar environment alone. Here is its start: settings,
certificates, engine, listeners. What is not needed for the first request is
loaded when the engine already carries it (dataplane.roles.sidecar).
"""

from __future__ import annotations

import _signal
import sys
import time
from posix import write

from dataplane import VERSION
from dataplane.config.read import process_environment, read_queue_proxy
from dataplane.errors import ConfigError
from dataplane.logs import Logger
from dataplane.supervisor import Supervisor, certificate_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataplane.config.schema import Settings
    from dataplane.roles.sidecar import Sidecar

PROGRAM = "penstock-queue-proxy"


def start(settings: Settings) -> Sidecar:
    """Serves when this returns. Raises ConfigError for what only shows now: ports, certificates."""
    identity, metrics = settings.identity, settings.metrics.listener
    fixed = (("knative.dev/key", f"{identity.namespace}/{identity.revision}"), ("knative.dev/pod", identity.pod))
    log = Logger(settings.logging, "queueproxy", fixed)
    certificates = certificate_files(settings.certificates.tls if settings.certificates else None, log)
    metrics_files = certificate_files(metrics.tls if metrics is not None else None, log)
    tls = certificates.load() if certificates is not None else None
    metrics_tls = metrics_files.load() if metrics_files is not None else None
    supervisor = Supervisor(settings)
    odd = supervisor.listen(tls, metrics_tls)
    # From here on requests are carried, and nobody waits for these.
    from dataplane.roles.sidecar import Sidecar

    sidecar = Sidecar(settings, log, supervisor, certificates)
    for warning in (*settings.warnings, *odd):
        log.warn(str(warning))
    return sidecar


def main() -> int:
    """The exit status: 0 after a drain, 1 for settings that cannot be used and after a second TERM."""
    if "--version" in sys.argv[1:]:
        write(1, f"{PROGRAM} {VERSION}\n".encode())
        return 0
    terms: list[int] = []
    for number in (_signal.SIGTERM, _signal.SIGINT):
        _signal.signal(number, lambda number, frame: terms.append(number))
    try:
        sidecar = start(read_queue_proxy(process_environment()))
    except ConfigError as error:
        write(2, error.report(PROGRAM).encode())
        return 1
    for number in (_signal.SIGTERM, _signal.SIGINT):
        _signal.signal(number, lambda number, frame: sidecar.drainer.term(time.monotonic_ns()))
    for _ in terms:
        sidecar.drainer.term(time.monotonic_ns())
    return sidecar.run()
