"""MetadataRules: what names, labels and annotations of an object may be (SC 3.7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from controller.api import meta
from controller.api.errors import FieldError, bad_key, generic, invalid, missing, out_of_bounds, warning
from controller.api.values import NS_PER_S, duration_ns, label_1035_problems, number, quantity

ANNOTATIONS = "metadata.annotations"

IN_TEMPLATE = 'autoscaling annotations must be put under "spec.template.metadata.annotations" to work'

PERCENTAGE_MIN, PERCENTAGE_MAX = 0.1, 100

NETWORKING_KEYS = {
    *meta.INGRESS_CLASS,
    *meta.CERTIFICATE_CLASS,
    *meta.DISABLE_EXTERNAL_DOMAIN_TLS,
    *meta.HTTP_PROTOCOL,
}


def listed(texts: list[str]) -> str:
    """Several sentences as upstream prints a list."""
    return f"[{' '.join(texts)}]"


def name_problems(metadata: meta.ObjectMeta) -> Iterator[FieldError]:
    """An object has a name, or a start of one, that is a DNS label (SC-063)."""
    name, start = metadata.name, metadata.generate_name
    if start and (said := prefix_problems(start)):
        yield generic(f"not a DNS 1035 label prefix: {listed(said)}", "metadata.generateName")
    if name and (said := label_1035_problems(name)):
        yield generic(f"not a DNS 1035 label: {listed(said)}", "metadata.name")
    if not name and not start:
        yield generic("name or generateName is required", "metadata.name")


def prefix_problems(start: str) -> list[str]:
    """As a name's, but a dash at the end is right."""
    return label_1035_problems(re.sub(r"-$", "a", start) if len(start) > 1 else start)


def autoscaling_problems(annotations: dict[str, str]) -> Iterator[FieldError]:
    """Annotations of the autoscaler belong to the template (SC-084)."""
    for key in sorted(annotations):
        if key.startswith(meta.AUTOSCALING):
            yield bad_key(key, ANNOTATIONS, IN_TEMPLATE)


def networking_problems(annotations: dict[str, str]) -> Iterator[FieldError]:
    """A key of networking that is none of its own (SC-085)."""
    for key in sorted(annotations):
        if key.startswith(meta.NETWORKING) and key not in NETWORKING_KEYS:
            yield bad_key(key, ANNOTATIONS)


def seconds_problems(annotations: dict[str, str], keys: tuple[str, ...], name: str) -> Iterator[FieldError]:
    """An annotation in whole seconds, not negative (SC-086, SC-087)."""
    found = meta.annotation(annotations, keys)
    if found is None or not found[1]:
        return
    key, said = found
    path = f"{ANNOTATIONS}.{key}"
    try:
        ns = duration_ns(said)
    except ValueError:
        yield invalid(said, path)
        return
    if ns % NS_PER_S:
        yield generic(f"{name}={said} is not at second precision", path)
    elif ns < 0:
        yield generic(f"{name}={said} must be positive", path)


def sidecar_problems(annotations: dict[str, str]) -> Iterator[FieldError]:
    """What the sidecar may use (SC-088)."""
    if (found := meta.annotation(annotations, meta.SIDECAR_PERCENTAGE)) is not None:
        key, said = found
        path = f"{ANNOTATIONS}[{key}]"
        yield warning(
            "Queue proxy resource percentage annotation is deprecated. Please use the available annotations to "
            "explicitly set resource values per service",
            path,
        )
        value = _parsed(number, said)
        if value is None:
            yield invalid(said, path)
        elif not PERCENTAGE_MIN <= value <= PERCENTAGE_MAX:
            yield out_of_bounds(value, PERCENTAGE_MIN, PERCENTAGE_MAX, path)
    for key in meta.SIDECAR_RESOURCES.values():
        if (amount := annotations.get(key)) is not None and _parsed(quantity, amount) is None:
            yield invalid(amount, f"{ANNOTATIONS}[{key}]")


def _parsed(parse: Callable[[str], object], said: str) -> float | None:
    """None where it cannot be read."""
    try:
        return float(parse(said))  # type: ignore[arg-type]
    except ValueError:
        return None


def signature_problems(resource: meta.Resource, old: meta.Resource, has_same_spec: bool) -> Iterator[FieldError]:
    """Who made an object stays; who changed it last changes with the spec only (SC-022, SC-089)."""
    new, before = resource.metadata.annotations, old.metadata.annotations
    if new.get(meta.CREATOR, "") != before.get(meta.CREATOR, ""):
        yield generic("annotation value is immutable", f"{ANNOTATIONS}.{meta.CREATOR}")
    modifier = new.get(meta.LAST_MODIFIER, "")
    if has_same_spec and modifier != before.get(meta.LAST_MODIFIER, ""):
        yield invalid(modifier, f"{ANNOTATIONS}.{meta.LAST_MODIFIER}")


def owner_label_problems(metadata: meta.ObjectMeta, label: str, kind: str) -> Iterator[FieldError]:
    """A label that names an owner belongs to an object that has this owner (SC-090)."""
    value = metadata.labels.get(label)
    owners = {owner.name for owner in metadata.owner_references if owner.kind == kind}
    if value is not None and value not in owners:
        yield missing(f"metadata.labels.{label}")
