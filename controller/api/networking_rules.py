"""NetworkingRules: what an Ingress (NW 1.4) and a ServerlessService may be, and their defaults (NW 1.3)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from controller.api.autoscaling_rules import reference_problems
from controller.api.context import Context
from controller.api.errors import FieldError, generic, invalid, missing, under
from controller.api.networking import (
    ENABLED,
    EXTERNAL_IP,
    H2C,
    HTTP1,
    PROXY,
    REDIRECTED,
    SERVE,
    Ingress,
    IngressPath,
    IngressRule,
    IngressSpec,
    IngressSplit,
    IngressTls,
    ServerlessService,
    ServerlessServiceSpec,
)

WHOLE = 100


def defaulted_ingress(ingress: Ingress, context: Context) -> Ingress:
    """Rules are external unless they say otherwise, and a lone backend gets everything; twice is the same as once."""
    del context
    return replace(ingress, spec=replace(ingress.spec, rules=tuple(_rule(rule) for rule in ingress.spec.rules)))


def _rule(rule: IngressRule) -> IngressRule:
    http = rule.http
    if http is not None:
        http = replace(http, paths=tuple(_path(path) for path in http.paths))
    return replace(rule, visibility=rule.visibility or EXTERNAL_IP, http=http)


def _path(path: IngressPath) -> IngressPath:
    if len(path.splits) != 1 or path.splits[0].percent != 0:
        return path
    return replace(path, splits=(replace(path.splits[0], percent=WHOLE),))


def ingress_problems(ingress: Ingress, context: Context) -> list[FieldError]:
    """All that is wrong with it, by field path."""
    del context
    spec, namespace = ingress.spec, ingress.namespace
    if spec == IngressSpec():
        return [missing("spec")]
    problems = [] if spec.rules else [missing("rules")]
    for index, rule in enumerate(spec.rules):
        problems += under(f"rules[{index}]", _rule_problems(rule, namespace))
    for index, tls in enumerate(spec.tls):
        problems += under(f"tls[{index}]", _tls_problems(tls))
    if spec.http_option not in ("", ENABLED, REDIRECTED):
        problems.append(invalid(spec.http_option, "httpOption"))
    return under("spec", problems)


def _rule_problems(rule: IngressRule, namespace: str) -> Iterator[FieldError]:
    if rule == IngressRule():
        yield missing("")
    elif rule.http is None:
        yield missing("http")
    elif not rule.http.paths:
        yield missing("http.paths")
    else:
        for index, path in enumerate(rule.http.paths):
            yield from under(f"http.paths[{index}]", _path_problems(path, namespace))


def _path_problems(path: IngressPath, namespace: str) -> Iterator[FieldError]:
    if path == IngressPath():
        yield missing("")
        return
    if not path.splits:
        yield missing("splits")
        return
    total = 0
    for index, split in enumerate(path.splits):
        problems = list(_split_problems(split, namespace))
        total += split.percent
        if problems:
            yield from under(f"splits[{index}]", problems)
            return
    is_lone = len(path.splits) == 1 and total == 0
    if total != WHOLE and not is_lone:
        yield generic(f"traffic split percentage must total to {WHOLE}, but was {total}", "splits")


def _split_problems(split: IngressSplit, namespace: str) -> Iterator[FieldError]:
    if split == IngressSplit() or not (split.service_namespace or split.service_name or split.service_port):
        yield missing("")
        return
    if not 0 <= split.percent <= WHOLE:
        yield invalid(split.percent, "percent")
    if not split.service_namespace:
        yield missing("serviceNamespace")
    elif split.service_namespace != namespace:
        yield generic("service namespace must match ingress namespace", "serviceNamespace")
    if not split.service_name:
        yield missing("serviceName")
    if not split.service_port:
        yield missing("servicePort")


def _tls_problems(tls: IngressTls) -> Iterator[FieldError]:
    if tls == IngressTls():
        yield missing("")
        return
    if not tls.secret_name:
        yield missing("secretName")
    if not tls.secret_namespace:
        yield missing("secretNamespace")


def serverless_service_problems(service: ServerlessService, context: Context) -> list[FieldError]:
    """All that is wrong with it, by field path."""
    del context
    if service.spec == ServerlessServiceSpec():
        return [missing("spec")]
    problems = []
    for name, value, known in (
        ("mode", service.spec.mode, (SERVE, PROXY)),
        ("protocolType", service.spec.protocol_type, (HTTP1, H2C)),
    ):
        if not value:
            problems.append(missing(name))
        elif value not in known:
            problems.append(invalid(value, name))
    problems += under("objectRef", reference_problems(service.spec.object_ref))
    return under("spec", problems)
