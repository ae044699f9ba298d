"""Maps: the config maps that one machine begins with; afterwards they are the user's."""

from __future__ import annotations

from controller.api.core import ConfigMap
from controller.config.settings import Settings
from dataplane.kube.client import Client
from dataplane.kube.errors import AlreadyExists
from dataplane.kube.resource import CONFIG_MAPS

SYSTEM_NAMESPACE = "knative-serving"
INGRESS_CLASS = "penstock.ingress.networking.knative.dev"
DOMAIN = "localhost"

FIRST: dict[str, dict[str, str]] = {
    "config-autoscaler": {"algorithm": "predictive"},
    "config-defaults": {},
    "config-deployment": {"queue-sidecar-image": "dev.local/penstock-queue-proxy"},
    "config-domain": {DOMAIN: ""},
    "config-features": {},
    "config-gc": {},
    "config-network": {"ingress-class": INGRESS_CLASS},
    "config-observability": {},
}


def first_settings() -> Settings:
    """What these maps say."""
    settings = Settings()
    for name, data in FIRST.items():
        settings, _ = settings.changed(name, data)
    return settings


async def ensure_maps(client: Client) -> None:
    """Makes those that are not there; what a user has changed stays."""
    for name, data in FIRST.items():
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        try:
            await client.create(CONFIG_MAPS, SYSTEM_NAMESPACE, body, ConfigMap)
        except AlreadyExists:
            continue
