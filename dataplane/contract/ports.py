"""Port: the fixed ports of a sidecar and their names in a pod (1.1, 1.3)."""

SERVING_PORT = 8012
"""HTTP/1.1 revisions; named by QUEUE_SERVING_PORT."""

SERVING_H2C_PORT = 8013
"""h2c revisions; named by QUEUE_SERVING_PORT. Both ports speak both protocols."""

SERVING_TLS_PORT = 8112
"""Bound only when both certificate files exist at start (DP-152)."""

ADMIN_PORT = 8022
"""`/wait-for-drain`; served, but not declared in the pod."""

STATS_PORT = 9090
"""The autoscaler's record."""

USER_METRICS_PORT = 9091
"""Prometheus text, when the revision's metrics are on."""

PROFILING_PORT = 8008
"""`/debug/*`, when profiling is on."""

USER_PORT = 8080
"""The app, when its container names no port."""

PORT_MAX = 65535

PORT_NAMES = {
    STATS_PORT: "http-autometric",
    USER_METRICS_PORT: "http-usermetric",
    PROFILING_PORT: "profiling-port",
    SERVING_PORT: "queue-port",
    SERVING_H2C_PORT: "queue-port",
    SERVING_TLS_PORT: "https-port",
}
"""How the pod declares them, in this order. The user container's single port is `USER_PORT_NAME`."""

USER_PORT_NAME = "user-port"
