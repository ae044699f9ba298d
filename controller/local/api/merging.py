"""merging: which lists of Kubernetes' own kinds are maps or sets, and which objects are one field.

From the API's reference of 1.34 (`x-kubernetes-list-map-keys`, `x-kubernetes-patch-merge-key`,
`x-kubernetes-map-type`), for the types that the embedded API serves; `lightkube.models` does not carry these marks.
"""

from __future__ import annotations

LISTS: dict[str, tuple[tuple[str, ...], str]] = {
    "Container.env": (("name",), "name"),
    "Container.ports": (("containerPort", "protocol"), "containerPort"),
    "Container.volumeDevices": (("devicePath",), "devicePath"),
    "Container.volumeMounts": (("mountPath",), "mountPath"),
    "ContainerRestartRuleOnExitCodes.values": (("",), ""),
    "ContainerStatus.allocatedResourcesStatus": (("name",), "name"),
    "ContainerStatus.volumeMounts": (("mountPath",), "mountPath"),
    "DeploymentStatus.conditions": (("type",), "type"),
    "Endpoint.addresses": (("",), ""),
    "EphemeralContainer.env": (("name",), "name"),
    "EphemeralContainer.ports": (("containerPort", "protocol"), "containerPort"),
    "EphemeralContainer.volumeDevices": (("devicePath",), "devicePath"),
    "EphemeralContainer.volumeMounts": (("mountPath",), "mountPath"),
    "NamespaceStatus.conditions": (("type",), "type"),
    "NodeSpec.podCIDRs": (("",), ""),
    "NodeStatus.addresses": (("type",), "type"),
    "NodeStatus.conditions": (("type",), "type"),
    "ObjectMeta.finalizers": (("",), ""),
    "ObjectMeta.ownerReferences": (("uid",), "uid"),
    "PodSpec.containers": (("name",), "name"),
    "PodSpec.ephemeralContainers": (("name",), "name"),
    "PodSpec.hostAliases": (("ip",), "ip"),
    "PodSpec.imagePullSecrets": (("name",), "name"),
    "PodSpec.initContainers": (("name",), "name"),
    "PodSpec.resourceClaims": (("name",), "name"),
    "PodSpec.schedulingGates": (("name",), "name"),
    "PodSpec.topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"), "topologyKey"),
    "PodSpec.volumes": (("name",), "name"),
    "PodStatus.conditions": (("type",), "type"),
    "PodStatus.podIPs": (("ip",), "ip"),
    "PodStatus.resourceClaimStatuses": (("name",), "name"),
    "ReplicaSetStatus.conditions": (("type",), "type"),
    "ResourceRequirements.claims": (("name",), ""),
    "ResourceStatus.resources": (("resourceID",), ""),
    "ServiceAccount.secrets": (("name",), "name"),
    "ServiceSpec.ports": (("port", "protocol"), "port"),
    "ServiceStatus.conditions": (("type",), "type"),
}
"""Type and field → the keys of its items (`("",)` is a set), and the key of a strategic merge patch."""

ATOMIC = frozenset([
    "ConfigMapKeySelector", "EndpointAddress", "EndpointPort", "FileKeySelector", "LabelSelector",
    "LocalObjectReference",
    "NodeSelector", "NodeSelectorTerm", "ObjectFieldSelector", "ObjectReference", "OwnerReference",
    "PodSpec.nodeSelector", "ResourceFieldSelector", "SecretKeySelector", "ServiceSpec.selector",
    "TypedLocalObjectReference",
])  # fmt: skip
"""Types and fields that are one field for ownership."""

RETAIN = frozenset(["DeploymentSpec.strategy", "PodSpec.resourceClaims", "PodSpec.volumes"])
"""Where a strategic merge patch may name the only keys that stay (`$retainKeys`)."""

KEY_DEFAULTS = {"protocol": "TCP"}
"""What a key of a list is when an item leaves it out."""
