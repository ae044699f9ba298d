"""Metrics TLS: whether Prometheus text is served encrypted, and to whom (METRICS_PROMETHEUS_TLS_*, 1.2)."""

from __future__ import annotations

from dataplane.contract.values import quoted

from .schema import Tls
from .tls import read_tls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataplane.contract.env import SidecarEnv

    from .findings import Findings

CERT = "METRICS_PROMETHEUS_TLS_CERT"
KEY = "METRICS_PROMETHEUS_TLS_KEY"
AUTH = "METRICS_PROMETHEUS_TLS_CLIENT_AUTH"
CA = "METRICS_PROMETHEUS_TLS_CLIENT_CA_FILE"
AUTHS = ("none", "optional", "require")


def read_metrics_tls(env: SidecarEnv, findings: Findings) -> Tls | None:
    """The TLS of the metrics listener, None when it is cleartext."""
    cert, key = env.metrics_prometheus_tls_cert, env.metrics_prometheus_tls_key
    auth = env.metrics_prometheus_tls_client_auth.strip().lower() or "none"
    authority = env.metrics_prometheus_tls_client_ca_file.strip()
    if auth not in AUTHS:
        findings.wrong(AUTH, f"{quoted(auth)} is not known; use none, optional or require")
        auth = "none"
    if bool(cert) != bool(key):
        missing, given = (KEY, CERT) if cert else (CERT, KEY)
        findings.wrong(missing, f"is empty while {given} is set; set both or neither")
        return None
    if not cert:
        if auth != "none" or authority:
            findings.wrong(AUTH if auth != "none" else CA, f"needs TLS; set {CERT} and {KEY} as well")
        return None
    if auth != "none" and not authority:
        findings.wrong(CA, f"is empty while {AUTH} is {auth}; set the file of the callers' authority")
    tls = read_tls(env, "METRICS_PROMETHEUS", cert, key, findings)
    return tls.but(client_auth=auth, client_ca_file=authority)
