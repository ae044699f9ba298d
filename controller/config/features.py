"""Features: what is switched on, from config-features (SC 3.12)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from controller.config.reader import Reader

ENABLED, ALLOWED, DISABLED = "Enabled", "Allowed", "Disabled"
ALLOW_ROOT_BOUNDED = "AllowRootBounded"

MULTI_CONTAINER = "multi-container"
MULTI_CONTAINER_PROBING = "multi-container-probing"
SECURE_POD_DEFAULTS = "secure-pod-defaults"
ADD_CAPABILITIES = "kubernetes.containerspec-addcapabilities"
TAG_HEADER_BASED_ROUTING = "tag-header-based-routing"
MOUNT_PODINFO = "queueproxy.mount-podinfo"
RESOURCE_DEFAULTS = "queueproxy.resource-defaults"
AUTODETECT_HTTP2 = "autodetect-http2"

_POD_SPEC = (
    "affinity", "dnsconfig", "dnspolicy", "fieldref", "hostaliases", "hostipc", "hostnetwork", "hostpid",
    "init-containers", "nodeselector", "persistent-volume-claim", "persistent-volume-write", "priorityclassname",
    "runtimeclassname", "schedulername", "securitycontext", "shareprocessnamespace", "tolerations",
    "topologyspreadconstraints", "volumes-csi", "volumes-emptydir", "volumes-ephemeral", "volumes-hostpath",
    "volumes-image", "volumes-mount-propagation",
)  # fmt: skip


def pod_spec(name: str) -> str:
    """The key of a flag that opens a part of the pod spec."""
    return f"kubernetes.podspec-{name}"


FLAGS: dict[str, str] = {
    **dict.fromkeys((pod_spec(name) for name in _POD_SPEC), DISABLED),
    MULTI_CONTAINER: ENABLED,
    pod_spec("volumes-emptydir"): ENABLED,
    MULTI_CONTAINER_PROBING: DISABLED,
    SECURE_POD_DEFAULTS: DISABLED,
    ADD_CAPABILITIES: DISABLED,
    TAG_HEADER_BASED_ROUTING: DISABLED,
    MOUNT_PODINFO: DISABLED,
    RESOURCE_DEFAULTS: DISABLED,
    AUTODETECT_HTTP2: DISABLED,
}
"""Every flag and its default."""


class Features(msgspec.Struct, frozen=True):
    """State of the flags that were set; the others have their defaults."""

    states: dict[str, str] = {}

    def state(self, flag: str) -> str:
        return self.states.get(flag, FLAGS[flag])

    def is_enabled(self, flag: str) -> bool:
        return self.state(flag) == ENABLED

    def is_open(self, flag: str) -> bool:
        """Enabled for everybody, or for those who ask for it."""
        return self.state(flag) != DISABLED


def read(data: Mapping[str, str]) -> tuple[Features, list[str]]:
    """Settings, and every problem of the map.

    Upstream keeps the default without a word where a value is none of the states; here it is a problem.
    """
    reader = Reader(data)
    states = {}
    for flag in FLAGS:
        said = reader.said(flag)
        if said is None:
            continue
        known = (DISABLED, ALLOW_ROOT_BOUNDED, ENABLED) if flag == SECURE_POD_DEFAULTS else (ENABLED, ALLOWED, DISABLED)
        state = next((name for name in known if name.lower() == said.strip().lower()), None)
        if state is None:
            reader.refuse(f"{flag} = {said}, must be one of {', '.join(known)}")
        else:
            states[flag] = state
    return Features(states), reader.problems
