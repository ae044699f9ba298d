"""The smallest environment that starts a sidecar, for the tests of its settings."""

from __future__ import annotations

import pytest

from dataplane.config.read import read_queue_proxy
from dataplane.config.schema import Settings
from dataplane.errors import ConfigError

BASE = {
    "CONTAINER_CONCURRENCY": "0",
    "QUEUE_SERVING_PORT": "8012",
    "QUEUE_SERVING_TLS_PORT": "8112",
    "USER_PORT": "8080",
    "REVISION_TIMEOUT_SECONDS": "300",
    "SERVING_LOGGING_CONFIG": "",
    "SERVING_LOGGING_LEVEL": "",
    "SERVING_NAMESPACE": "default",
    "SERVING_CONFIGURATION": "hello",
    "SERVING_REVISION": "hello-00001",
    "SERVING_POD": "p-1",
    "SERVING_POD_IP": "10.0.0.7",
}


def settings(certs: bool = False, **variables: str) -> Settings:
    """The settings of the smallest environment and these variables."""
    return read_queue_proxy(BASE | variables, exists=lambda _path: certs)


def problems(certs: bool = False, **variables: str) -> list[str]:
    """Everything that is wrong with the smallest environment and these variables."""
    with pytest.raises(ConfigError) as caught:
        settings(certs, **variables)
    return [str(problem) for problem in caught.value.problems]


def warnings(certs: bool = False, **variables: str) -> list[str]:
    """Everything that is odd in them."""
    return [str(problem) for problem in settings(certs, **variables).warnings]
