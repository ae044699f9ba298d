"""Children of a Service: the Configuration and the Route of its name (SC 3.3)."""

from __future__ import annotations

import msgspec

from controller.api.meta import (
    LAST_APPLIED,
    ROLLOUT_DURATION,
    ROLLOUT_DURATION_DASHED,
    ROUTES,
    SERVICE_LABEL,
    SERVICE_UID_LABEL,
    ObjectMeta,
    owner_reference,
)
from controller.api.serving import (
    Configuration,
    ConfigurationSpec,
    Route,
    RouteSpec,
    Service,
    TrafficTarget,
)

_NOT_FOR_CONFIGURATION = (LAST_APPLIED, ROLLOUT_DURATION, ROLLOUT_DURATION_DASHED)


def configuration(service: Service, live: Configuration | None) -> Configuration:
    """The Configuration as it should be; labels and annotations of others do not survive on it."""
    routed = set((live.metadata.annotations.get(ROUTES, "") if live else "").split(",")) | {service.name}
    annotations = {
        key: value for key, value in service.metadata.annotations.items() if key not in _NOT_FOR_CONFIGURATION
    }
    return Configuration(
        metadata=_meta(
            live.metadata if live else None,
            service,
            labels={SERVICE_LABEL: service.name, SERVICE_UID_LABEL: service.metadata.uid},
            annotations=annotations | {ROUTES: ",".join(sorted(routed - {""}))},
        ),
        spec=ConfigurationSpec(template=service.spec.template),
    )


def route(service: Service, live: Route | None) -> Route:
    """The Route as it should be; a target without a revision means the newest of the Configuration."""
    annotations = {key: value for key, value in service.metadata.annotations.items() if key != LAST_APPLIED}
    return Route(
        metadata=_meta(
            live.metadata if live else None,
            service,
            labels={SERVICE_LABEL: service.name},
            annotations=annotations,
        ),
        spec=RouteSpec(traffic=tuple(_target(service, target) for target in service.spec.traffic)),
    )


def _target(service: Service, target: TrafficTarget) -> TrafficTarget:
    if target.revision_name:
        return target
    return msgspec.structs.replace(target, configuration_name=service.name)


def _meta(live: ObjectMeta | None, service: Service, labels: dict[str, str], annotations: dict[str, str]) -> ObjectMeta:
    """Of a child that is replaced as a whole: what the API server keeps stays."""
    return msgspec.structs.replace(
        live or ObjectMeta(name=service.name, namespace=service.namespace),
        labels=service.metadata.labels | labels,
        annotations=annotations,
        owner_references=(owner_reference(service),),
    )
