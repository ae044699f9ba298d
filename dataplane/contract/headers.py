"""Header: the names and values that Knative's components say to each other (1.7).

Those that only the engine reads or writes stand in ext/http/names.toml.
"""

NETWORK_PROBE = "K-Network-Probe"
SERVING_REVISION = "Knative-Serving-Revision"
SERVING_NAMESPACE = "Knative-Serving-Namespace"

PROBE_QUEUE = "queue"
"""K-Network-Probe of a health request; also the body of the answer to it (1.7, 1b)."""

KUBELET_AGENT = "kube-probe/"
ACTIVATOR_AGENT = "Knative-Activator-Probe"
"""Starts of the User-Agent of a health request (1.7, 1)."""
