"""Door: what the controllers' process answers itself, beside the API: why a service is as it is."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from controller.api.core import Pod
from controller.api.meta import SERVICE_LABEL
from controller.api.serving import Revision, Service
from controller.assembly import Controllers
from controller.autoscaler.deciders import steady
from controller.local.explain import Decision, RevisionFacts, explain
from controller.observe import BY_REVISION

BEARER = "Bearer "


class Door:
    """One ASGI application; every caller needs the token of the API server."""

    PATH = "/penstock"

    def __init__(self, controllers: Controllers, token: str) -> None:
        self._controllers = controllers
        self._token = token
        self.app = Starlette(routes=[Route("/explain/{namespace}/{name}", self._explain)])

    async def _explain(self, request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"{BEARER}{self._token}".encode()):
            return JSONResponse({"error": "a token is needed"}, 401)
        namespace, name = request.path_params["namespace"], request.path_params["name"]
        service = self._controllers.observed.services.get(namespace, name)
        if service is None:
            return JSONResponse({"error": f'service "{name}" is not there'}, 404)
        found = explain(service, self._facts(service), self._controllers.gate.count)
        return Response(msgspec.json.encode(found), media_type="application/json")

    def _facts(self, service: Service) -> list[RevisionFacts]:
        """Of every revision that has traffic or pods, and of the newest one."""
        seen = self._controllers.observed
        served = {one.revision_name for one in service.status.traffic}
        served |= {service.status.latest_created_revision_name, service.status.latest_ready_revision_name}
        found = []
        for revision in seen.revisions:
            if revision.namespace != service.namespace or revision.metadata.labels.get(SERVICE_LABEL) != service.name:
                continue
            pods = seen.pods.by(BY_REVISION, f"{revision.namespace}/{revision.name}")
            if revision.name in served or pods:
                found.append(self._revision(revision, pods))
        return sorted(found, key=lambda one: one.revision.name, reverse=True)

    def _revision(self, revision: Revision, pods: Sequence[Pod]) -> RevisionFacts:
        seen, now_s = self._controllers.observed, steady()
        decider = self._controllers.deciders.find(f"{revision.namespace}/{revision.name}")
        made = decider.history.all() if decider is not None else []
        scaler = seen.pod_autoscalers.get(*revision.key)
        return RevisionFacts(
            revision=revision,
            pods=pods,
            decisions=[
                Decision(ago_s=round(max(0.0, now_s - one.at_s), 3), pods=one.decision.pods, reason=one.decision.reason)
                for one in made
            ],
            path=seen.serverless_services.get(*revision.key),
            wanted=scaler.status.desired_scale if scaler is not None else None,
            algorithm=decider.wanted.algorithm if decider is not None else "",
            start_s=decider.start_s if decider is not None else None,
        )
