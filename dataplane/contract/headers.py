"""Header: the names and values that Knative's components say to each other (1.5 to 1.10, 7)."""

NETWORK_PROBE = "K-Network-Probe"
NETWORK_HASH = "K-Network-Hash"
KUBELET_PROBE = "K-Kubelet-Probe"
PROXY_REQUEST = "K-Proxy-Request"
ORIGINAL_HOST = "K-Original-Host"
SERVING_REVISION = "Knative-Serving-Revision"
SERVING_NAMESPACE = "Knative-Serving-Namespace"
SERVING_TAG = "Knative-Serving-Tag"
SERVING_DEFAULT_ROUTE = "Knative-Serving-Default-Route"

PROBE_QUEUE = "queue"
"""K-Network-Probe of a health request; also the body of the answer to it (1.7, 1b)."""

PROBE_NETWORK = "probe"
"""K-Network-Probe of a network probe, answered with its K-Network-Hash (1.7, 2b)."""

PROXIED_BY_ACTIVATOR = "activator"
"""K-Proxy-Request of what came through an activator; any other value counts as not proxied (DP-127)."""

KUBELET_AGENT = "kube-probe/"
ACTIVATOR_AGENT = "Knative-Activator-Probe"
AUTOSCALER_AGENT = "Knative-Autoscaling-Probe"
HEALTH_AGENTS = (KUBELET_AGENT, ACTIVATOR_AGENT, AUTOSCALER_AGENT)
"""Starts of the User-Agent of a health request (1.7, 1)."""

TAG_DISABLED = "kn:disabled"
TAG_DEFAULT = "kn:default"
TAG_UNDEFINED = "kn:undefined"
"""Values of the label kn.route.tag that no tag can have (1.6)."""

STAT_CONTENT_TYPE = "application/protobuf"
"""Exactly so, without parameters (DP-119)."""
