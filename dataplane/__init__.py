"""The data plane: processes that carry requests. Settings and endpoints become a plan for the engine; its
snapshots become metrics, the autoscaler's record and the request log; a role wires them together."""

VERSION = "0.1.0"
