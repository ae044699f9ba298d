"""Translate: what an Ingress means to our gateways, as the routes document says it; pure (networking.md 1, 7)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controller.api.meta import Resource as Object
from controller.api.networking import CLUSTER_LOCAL, REDIRECTED, Ingress, IngressPath, IngressSplit
from controller.api.serving import Revision
from dataplane.contract.routes import ANY_HOST, Host, Path, Split, Target

from .digest import digest

REVISION_HEADER, NAMESPACE_HEADER = "Knative-Serving-Revision", "Knative-Serving-Namespace"


@dataclass(frozen=True, slots=True)
class Backend:
    """Whom a split means: a Service's port, and the revision behind it where the split names one."""

    namespace: str
    service: str
    port: int | str
    revision: str = ""

    @property
    def target(self) -> str:
        """Its name in the document."""
        return f"{self.namespace}/{self.revision}" if self.revision else f"{self.namespace}/{self.service}:{self.port}"


def backend_of(split: IngressSplit) -> Backend:
    """A split with both headers goes to a revision, which a gateway can hold requests for."""
    revision = split.append_headers.get(REVISION_HEADER, "")
    namespace = split.append_headers.get(NAMESPACE_HEADER, "")
    return Backend(
        split.service_namespace,
        split.service_name,
        split.service_port,
        revision if namespace == split.service_namespace else "",
    )


def backends_of(ingress: Ingress) -> tuple[Backend, ...]:
    """Every backend that can get a request, once."""
    found = {
        backend_of(split)
        for rule in ingress.spec.rules
        for path in (rule.http.paths if rule.http else ())
        for split in path.splits
        if _percent(path, split) > 0
    }
    return tuple(sorted(found, key=lambda backend: backend.target))


def hosts_of(ingress: Ingress) -> dict[str, Host]:
    """What happens for each host of the Ingress.

    Rules that share a host are merged in their order. Paths keep who may see
    them: outside a host has those of its external rules, inside all (1.11).
    """
    made_of = digest(ingress)
    collected: dict[str, list[Path]] = {}
    for rule in ingress.spec.rules:
        local = rule.visibility == CLUSTER_LOCAL
        is_redirect = ingress.spec.http_option == REDIRECTED and not local
        paths = [_path(path, is_redirect, local) for path in (rule.http.paths if rule.http else ())]
        for host in rule.hosts or (ANY_HOST,):
            collected.setdefault(host.lower(), []).extend(paths)
    return {
        host: Host(ingress=f"{ingress.namespace}/{ingress.name}", hash=made_of, paths=in_order(paths))
        for host, paths in collected.items()
    }


def in_order(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Longest prefix first, else as listed (1.18)."""
    return tuple(sorted(paths, key=lambda path: -len(path.prefix)))


def revision_target(revision: Revision) -> Target:
    """What a gateway that holds requests has to know of a revision."""
    return Target(
        concurrency=revision.container_concurrency,
        hold=True,
        request_s=float(revision.timeout_seconds),
        start_s=float(revision.response_start_timeout_seconds or 0),
        idle_s=float(revision.idle_timeout_seconds or 0),
        protocol=revision.protocol,
    )


def owner_of(claims: Iterable[Ingress]) -> str:
    """Whose a host is that these claim: the oldest one's, else the first by name. NAMESPACE/NAME; empty: nobody's."""
    oldest = min(claims, key=_age, default=None)
    return f"{oldest.namespace}/{oldest.name}" if oldest is not None else ""


def _age(item: Object) -> tuple[str, str, str]:
    return item.metadata.creation_timestamp or "", item.namespace, item.name


def _path(path: IngressPath, is_redirect: bool, local: bool) -> Path:
    return Path(
        splits=tuple(_split(path, split) for split in path.splits if _percent(path, split) > 0),
        prefix=path.path or "/",
        headers={name: match.exact for name, match in path.headers.items()},
        set_headers=path.append_headers,
        rewrite_host=path.rewrite_host,
        redirect=is_redirect,
        local=local,
    )


def _split(path: IngressPath, split: IngressSplit) -> Split:
    return Split(target=backend_of(split).target, percent=_percent(path, split), set_headers=dict(split.append_headers))


def _percent(path: IngressPath, split: IngressSplit) -> int:
    """The only split has everything, also when it does not say so (1.2)."""
    return 100 if len(path.splits) == 1 and split.percent == 0 else split.percent
