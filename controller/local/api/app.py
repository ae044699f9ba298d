"""app: HTTP to verbs: who asks, for what, and how a failure is said."""

from __future__ import annotations

import hmac
import logging
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from controller.local.api import answers, discovery, openapi, status
from controller.local.api.kinds import Catalogue
from controller.local.api.registry import Registry
from controller.local.api.verbs import Logs, Target, Verbs

Object = dict[str, Any]

log = logging.getLogger(__name__)

_OPEN = {"/healthz", "/livez", "/readyz"}
"""Paths that need no token."""


class Api:
    """The whole API as one ASGI application. tokens  bearer token → user."""

    def __init__(self, registry: Registry, tokens: dict[str, str], logs: Logs | None = None) -> None:
        self._registry = registry
        self._catalogue: Catalogue = registry.catalogue
        self._tokens = tokens
        self._verbs = Verbs(registry, logs)
        self._documents: dict[tuple[str, str], bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        http = HttpRequest(scope, receive)
        try:
            answer = await self._answer(http)
        except status.ApiError as wrong:
            answer = answers.error_answer(wrong)
        except ClientDisconnect:
            return
        except Exception:
            log.exception("%s %s failed", http.method, scope["path"])
            answer = answers.error_answer(status.internal("the server has a bug here; its log says more"))
        await answer(scope, receive, send)

    async def _answer(self, http: HttpRequest) -> Response:
        path = http.scope["path"]
        if path in _OPEN:
            return PlainTextResponse("ok")
        user = self._user(http)
        parts = [part for part in path.split("/") if part]
        if parts[:1] == ["api"] and len(parts) > 2:
            return await self._verbs.answer(http, self._target("", parts[1], parts[2:]), user)
        if parts[:1] == ["apis"] and len(parts) > 3:
            return await self._verbs.answer(http, self._target(parts[1], parts[2], parts[3:]), user)
        if http.method != "GET":
            raise status.method_not_allowed()
        return self._discovery(parts, http.headers.get("accept", ""))

    def _user(self, http: HttpRequest) -> str:
        """Raises ApiError 401 for a caller without a token that the server gave out."""
        scheme, _, given = http.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            for token, user in self._tokens.items():
                if hmac.compare_digest(token.encode(), given.strip().encode()):
                    return user
        raise status.unauthorized()

    def _target(self, group: str, version: str, parts: list[str]) -> Target:
        """What the rest of an address means: `namespaces/NS/PLURAL/NAME/SUBRESOURCE`, or without the first two.

        Raises  ApiError 404
        """
        namespace = ""
        if parts[0] == "namespaces" and len(parts) > 2 and self._catalogue.at(group, version, parts[2]) is not None:
            namespace, parts = parts[1], parts[2:]
        kind = self._catalogue.at(group, version, parts[0])
        if kind is None or len(parts) > 3 or bool(namespace) > kind.namespaced:
            raise status.no_such_path()
        if kind.namespaced and not namespace and len(parts) > 1:
            raise status.no_such_path()
        return Target(kind, namespace, *parts[1:])

    def _discovery(self, parts: list[str], accept: str) -> Response:
        groups = self._catalogue.groups()
        match parts:
            case []:
                return answers.json_answer({"paths": ["/api", "/apis", "/openapi/v3", "/version"]})
            case ["version"]:
                return answers.json_answer(discovery.version())
            case ["api"] | ["apis"]:
                if version := _aggregated(accept):
                    found = discovery.aggregated(self._catalogue, legacy=parts == ["api"], version=version)
                    media = f"{answers.JSON};g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
                    return Response(answers.json_answer(found).body, media_type=media)
                whole = discovery.legacy_versions() if parts == ["api"] else discovery.groups(self._catalogue)
                return answers.json_answer(whole)
            case ["api", version] if version in groups[""]:
                return answers.json_answer(discovery.resources("", version, groups[""][version]))
            case ["apis", group] if group in groups:
                return answers.json_answer(discovery.group(group, list(groups[group])))
            case ["apis", group, version] if version in groups.get(group, {}):
                return answers.json_answer(discovery.resources(group, version, groups[group][version]))
            case ["openapi", "v3"]:
                return answers.json_answer(openapi.index(self._catalogue))
            case ["openapi", "v3", "api", version] if version in groups[""]:
                return answers.json_answer(self._document("", version))
            case ["openapi", "v3", "apis", group, version] if version in groups.get(group, {}):
                return answers.json_answer(self._document(group, version))
        raise status.no_such_path()

    def _document(self, group: str, version: str) -> bytes:
        """Made when first asked for: most servers are never asked."""
        key = (group, version)
        if key not in self._documents:
            self._documents[key] = openapi.document(self._catalogue.groups()[group][version])
        return self._documents[key]


def _aggregated(accept: str) -> str:
    """The version of aggregated discovery that a client asks for; empty when it wants the old form."""
    for part in accept.split(","):
        if "as=APIGroupDiscoveryList" in part and "apidiscovery.k8s.io" in part:
            for version in ("v2", "v2beta1"):
                if f"v={version}" in part.replace(" ", "").split(";"):
                    return version
    return ""


def starlette(api: Api) -> Starlette:
    return Starlette(routes=[Mount("/", app=api)])
