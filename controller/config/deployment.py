"""Deployment: what every pod of a revision gets, from config-deployment (SC 3.12)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from controller.api.values import NS_PER_S, duration_text, subdomain_problems
from controller.config.reader import Reader

RESOURCES = ("cpu", "memory", "ephemeral-storage")
SPREAD = "prefer-spread-revision-over-nodes"
ANNOUNCE_KEY = "queue-sidecar-announce-address"
"""Ours. It is here as every pod gets a volume and a variable by it, and nothing else does."""
NO_AFFINITY = "none"
RUNTIME_CLASS_KEYS = ("runtime-class-name", "runtimeClassName")


class RuntimeClass(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime class, and the labels that a revision needs to get it."""

    name: str
    selector: dict[str, str] = {}


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """The sidecar, and how long a deployment may take."""

    queue_sidecar_image: str = ""
    registries_skipping_tag_resolving: tuple[str, ...] = ("kind.local", "ko.local", "dev.local")
    digest_resolution_timeout_s: float = 10.0
    progress_deadline_s: float = 600.0
    sidecar_requests: dict[str, str] = msgspec.field(default_factory=lambda: {"cpu": "25m"})
    sidecar_limits: dict[str, str] = {}
    sidecar_token_audiences: tuple[str, ...] = ()
    sidecar_root_ca: str = ""
    sidecar_announce_address: str = ""
    """HOST:PORT of the autoscaler that a sidecar tells when its pod can serve; empty: nobody is told."""

    sidecar_tls: dict[str, str] = {}
    """`min-version`, `max-version`, `cipher-suites`, `curve-preferences`; only what is set."""

    default_affinity_type: str = SPREAD
    runtime_classes: tuple[RuntimeClass, ...] = ()
    """Most labels first; among equals the smallest name."""

    pod_is_always_schedulable: bool = False

    def runtime_class(self, labels: Mapping[str, str]) -> str:
        """The class of the most labels that all fit (SC-181); empty: the cluster's default."""
        fits = (c.name for c in self.runtime_classes if all(labels.get(k) == v for k, v in c.selector.items()))
        return next(fits, "")


def _camel(key: str) -> str:
    """The old spelling of a key."""
    head, *rest = key.split("-")
    return head + "".join(word.capitalize() for word in rest)


def read(data: Mapping[str, str]) -> tuple[Deployment, list[str]]:
    """Settings, and every problem of the map; a new spelling of a key comes before an old one."""
    reader, default = Reader(data), Deployment()
    settings = Deployment(
        queue_sidecar_image=reader.text("", "queue-sidecar-image", "queueSidecarImage"),
        registries_skipping_tag_resolving=reader.words(
            default.registries_skipping_tag_resolving,
            "registries-skipping-tag-resolving",
            "registriesSkippingTagResolving",
        ),
        digest_resolution_timeout_s=reader.duration_s(
            default.digest_resolution_timeout_s, "digest-resolution-timeout", "digestResolutionTimeout"
        ),
        progress_deadline_s=reader.duration_s(default.progress_deadline_s, "progress-deadline", "progressDeadline"),
        sidecar_requests=_resources(reader, "request", default.sidecar_requests),
        sidecar_limits=_resources(reader, "limit", default.sidecar_limits),
        sidecar_token_audiences=reader.words((), "queue-sidecar-token-audiences"),
        sidecar_root_ca=reader.text("", "queue-sidecar-rootca"),
        sidecar_announce_address=reader.text("", ANNOUNCE_KEY),
        sidecar_tls=_tls(reader),
        default_affinity_type=reader.text(SPREAD, "default-affinity-type"),
        runtime_classes=_runtime_classes(reader),
        pod_is_always_schedulable=reader.boolean(False, "pod-is-always-schedulable"),
    )
    _check(settings, reader)
    return settings, reader.problems


def _resources(reader: Reader, kind: str, default: Mapping[str, str]) -> dict[str, str]:
    keys = {name: f"queue-sidecar-{name}-{kind}" for name in RESOURCES}
    found = {name: reader.quantity(default.get(name, ""), key, _camel(key)) for name, key in keys.items()}
    return {name: said for name, said in found.items() if said}


def _tls(reader: Reader) -> dict[str, str]:
    names = ("min-version", "max-version", "cipher-suites", "curve-preferences")
    found = {name: reader.text("", f"queue-sidecar-tls-{name}") for name in names}
    return {name: said for name, said in found.items() if said}


def _runtime_classes(reader: Reader) -> tuple[RuntimeClass, ...]:
    said = reader.yaml(*RUNTIME_CLASS_KEYS)
    if said is None:
        return ()
    if not isinstance(said, dict):
        reader.refuse("runtime-class-name must be a map of class to selector")
        return ()
    found = []
    for name, body in said.items():
        selector = (body or {}).get("selector") or {} if isinstance(body, dict | None) else None
        if not isinstance(name, str) or subdomain_problems(name):
            reader.refuse(
                f"runtime-class-name: {name} is no name of a class: {'; '.join(subdomain_problems(str(name)))}"
            )
        elif not isinstance(selector, dict) or not all(isinstance(v, str) for pair in selector.items() for v in pair):
            reader.refuse(f"runtime-class-name: the selector of {name} must be a map of labels")
        else:
            found.append(RuntimeClass(name=name, selector=selector))
    return tuple(sorted(found, key=lambda each: (-len(each.selector), each.name)))


def _check(settings: Deployment, reader: Reader) -> None:
    reader.require(bool(settings.queue_sidecar_image), "queue-sidecar-image cannot be empty or unset")
    digest, progress = settings.digest_resolution_timeout_s, settings.progress_deadline_s
    reader.require(digest > 0, f"digest-resolution-timeout cannot be a non-positive duration, was {_seconds(digest)}")
    reader.require(progress > 0, f"progress-deadline cannot be a non-positive duration, was {_seconds(progress)}")
    reader.require(
        progress.is_integer(), f"progress-deadline must be rounded to a whole second, was {_seconds(progress)}"
    )
    host, _, port = settings.sidecar_announce_address.rpartition(":")
    reader.require(
        not settings.sidecar_announce_address
        or bool(host and port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) <= 65535),
        f"{ANNOUNCE_KEY} is {settings.sidecar_announce_address}; use HOST:PORT of the autoscaler, "
        "such as autoscaler.knative-serving:8092",
    )
    affinity = settings.default_affinity_type
    reader.require(
        affinity in (NO_AFFINITY, SPREAD),
        f"unsupported default-affinity-type value {affinity}; use {NO_AFFINITY} or {SPREAD}",
    )


def _seconds(value: float) -> str:
    return duration_text(round(value * NS_PER_S))
