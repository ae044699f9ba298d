"""Access: how our own programs reach the embedded API server: loopback, without TLS, by its token."""

from __future__ import annotations

from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import Cluster, Context, User

NAME = "penstock"


def client_config(url: str, token: str) -> SingleConfig:
    """What a kubeconfig would say, without the file."""
    return SingleConfig(
        context_name=NAME, context=Context(cluster=NAME, user=NAME), cluster=Cluster(server=url), user=User(token=token)
    )
