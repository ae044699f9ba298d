"""Network: how services are named and reached, from config-network (NW 1.22)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from controller.config.reader import Reader
from controller.config.template import Template

DOMAIN_FIELDS = ("Name", "Namespace", "Domain", "Annotations", "Labels")
TAG_FIELDS = ("Name", "Tag")

ISTIO_CLASS = "istio.ingress.networking.knative.dev"
CERT_MANAGER_CLASS = "cert-manager.certificate.networking.knative.dev"

ENABLED, REDIRECTED, DISABLED = "enabled", "redirected", "disabled"
_HOST = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?")


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """Names, schemes and protocols of routes."""

    ingress_class: str = ISTIO_CLASS
    certificate_class: str = CERT_MANAGER_CLASS
    domain_template: Template = Template("{{.Name}}.{{.Namespace}}.{{.Domain}}", DOMAIN_FIELDS)
    tag_template: Template = Template("{{.Tag}}-{{.Name}}", TAG_FIELDS)
    external_domain_tls: bool = False
    cluster_local_domain_tls: bool = False
    system_internal_tls: bool = False
    http_protocol: str = ENABLED
    rollout_duration_s: int = 0
    default_external_scheme: str = "http"


def read(data: Mapping[str, str]) -> tuple[Network, list[str]]:
    """Settings, and every problem of the map; a new spelling of a key comes before an old one."""
    reader, default = Reader(data), Network()
    settings = Network(
        ingress_class=reader.text(default.ingress_class, "ingress-class", "ingress.class"),
        certificate_class=reader.text(default.certificate_class, "certificate-class", "certificate.class"),
        domain_template=_template(reader, default.domain_template, DOMAIN_FIELDS, "domain-template", "domainTemplate"),
        tag_template=_template(reader, default.tag_template, TAG_FIELDS, "tag-template", "tagTemplate"),
        external_domain_tls=reader.text("", "external-domain-tls", "auto-tls", "autoTLS").lower() == ENABLED,
        cluster_local_domain_tls=_switch(reader, "cluster-local-domain-tls"),
        system_internal_tls=_internal_tls(reader),
        http_protocol=_protocol(reader),
        rollout_duration_s=_rollout(reader),
        default_external_scheme=reader.text("http", "default-external-scheme", "defaultExternalScheme"),
    )
    scheme = settings.default_external_scheme
    reader.require(scheme in ("http", "https"), f"default-external-scheme = {scheme}, must be http or https")
    return settings, reader.problems


def _template(reader: Reader, default: Template, fields: tuple[str, ...], *keys: str) -> Template:
    """A template, tried out at once: it has to make a host (SC-233)."""
    said = reader.said(*keys)
    if said is None:
        return default
    try:
        template = Template(said, fields)
    except ValueError as problem:
        reader.refuse(f'failed to parse data: failed to parse "{keys[0]}": {problem}')
        return default
    tried = template.render({name: {} if name in ("Annotations", "Labels") else name.lower() for name in fields})
    if not tried or "/" in tried:
        reader.refuse(f'{keys[0]} = {said}, makes "{tried}": it must be a host, not empty and without a path')
        return default
    if "{{index" not in said.replace(" ", "") and not _HOST.fullmatch(tried):
        reader.refuse(f'{keys[0]} = {said}, makes "{tried}", which is no host')
        return default
    return template


def _switch(reader: Reader, key: str) -> bool:
    said = reader.text(DISABLED, key).lower()
    reader.require(said in (ENABLED, DISABLED), f"{key} = {said}, must be {ENABLED} or {DISABLED}")
    return said == ENABLED


def _internal_tls(reader: Reader) -> bool:
    if reader.said("system-internal-tls") is not None:
        return _switch(reader, "system-internal-tls")
    return reader.boolean(False, "internal-encryption")


def _protocol(reader: Reader) -> str:
    said = reader.text(ENABLED, "http-protocol", "httpProtocol").lower()
    if said in (ENABLED, REDIRECTED, DISABLED):
        return said
    reader.refuse(f"http-protocol {said} in config-network ConfigMap is not supported")
    return ENABLED


def _rollout(reader: Reader) -> int:
    """Seconds, as a number or as a duration: upstream takes only the first, and its own documents show the second."""
    keys = ("rollout-duration", "rolloutDuration")
    said = reader.text("0", *keys).strip()
    is_number = re.fullmatch(r"[+-]?\d+", said) is not None
    seconds = float(reader.integer(0, *keys)) if is_number else reader.duration_s(0.0, *keys)
    reader.require(seconds >= 0, f"rollout-duration must be a positive integer, but was {said}")
    reader.require(seconds.is_integer(), f"rollout-duration = {said}, must be specified with at most second precision")
    return int(seconds)
