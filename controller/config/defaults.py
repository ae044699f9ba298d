"""Defaults: what a revision has when nobody says otherwise, from config-defaults (SC 3.12)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from controller.config.reader import Reader
from controller.config.template import Template

CONTAINER_FIELDS = ("Name", "Namespace", "Labels", "Annotations")
"""What a template for a container's name may use: the metadata of the object that has the revision template."""

RESOURCES = ("cpu", "memory", "ephemeral-storage")


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """Defaults and limits of revisions; times in seconds."""

    revision_timeout_s: int = 300
    max_revision_timeout_s: int = 600
    response_start_timeout_s: int = 300
    idle_timeout_s: int = 0
    container_concurrency: int = 0
    container_concurrency_max: int = 1000
    allow_container_concurrency_zero: bool = True
    enable_service_links: bool | None = False
    """None: as Kubernetes has it."""

    container_name: Template = Template("user-container", CONTAINER_FIELDS)
    init_container_name: Template = Template("init-container", CONTAINER_FIELDS)
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    """Quantity by resource; what is not there is unset."""


def read(data: Mapping[str, str]) -> tuple[Defaults, list[str]]:
    """Settings, and every problem of the map; a value with a problem has its default."""
    reader, default = Reader(data), Defaults()
    timeout = reader.integer(default.revision_timeout_s, "revision-timeout-seconds")
    settings = Defaults(
        revision_timeout_s=timeout,
        max_revision_timeout_s=reader.integer(default.max_revision_timeout_s, "max-revision-timeout-seconds"),
        response_start_timeout_s=reader.integer(timeout, "revision-response-start-timeout-seconds"),
        idle_timeout_s=reader.integer(default.idle_timeout_s, "revision-idle-timeout-seconds"),
        container_concurrency=reader.integer(default.container_concurrency, "container-concurrency"),
        container_concurrency_max=reader.integer(default.container_concurrency_max, "container-concurrency-max-limit"),
        allow_container_concurrency_zero=reader.boolean(
            default.allow_container_concurrency_zero, "allow-container-concurrency-zero"
        ),
        enable_service_links=_service_links(reader),
        container_name=_template(reader, default.container_name, "container-name-template"),
        init_container_name=_template(reader, default.init_container_name, "init-container-name-template"),
        requests=_resources(reader, "request"),
        limits=_resources(reader, "limit"),
    )
    _check(settings, reader)
    return settings, reader.problems


def _service_links(reader: Reader) -> bool | None:
    said = reader.text("false", "enable-service-links").lower()
    return None if said == "default" else reader.boolean(False, "enable-service-links")


def _template(reader: Reader, default: Template, key: str) -> Template:
    said = reader.said(key)
    if not said:
        return default
    try:
        return Template(said, CONTAINER_FIELDS)
    except ValueError as problem:
        reader.refuse(f'failed to parse data: failed to parse "{key}": {problem}')
        return default


def _resources(reader: Reader, kind: str) -> dict[str, str]:
    found = {name: reader.quantity("", f"revision-{name}-{kind}") for name in RESOURCES}
    return {name: said for name, said in found.items() if said}


def _check(settings: Defaults, reader: Reader) -> None:
    timeout, longest = settings.revision_timeout_s, settings.max_revision_timeout_s
    reader.require(timeout > 0, f"revision-timeout-seconds ({timeout}) must be greater than 0")
    reader.require(
        timeout <= longest,
        f"revision-timeout-seconds ({timeout}) cannot be greater than max-revision-timeout-seconds ({longest})",
    )
    start, idle = settings.response_start_timeout_s, settings.idle_timeout_s
    reader.require(
        start <= timeout,
        f"revision-response-start-timeout-seconds ({start}) cannot be greater than "
        f"revision-timeout-seconds ({timeout})",
    )
    reader.require(
        idle <= timeout,
        f"revision-idle-timeout-seconds ({idle}) cannot be greater than revision-timeout-seconds ({timeout})",
    )
    most, concurrency = settings.container_concurrency_max, settings.container_concurrency
    reader.require(most >= 1, f"container-concurrency-max-limit = {most}, must be at least 1")
    reader.require(
        0 <= concurrency <= most,
        f"container-concurrency = {concurrency} is outside of the range 0 to container-concurrency-max-limit ({most})",
    )
