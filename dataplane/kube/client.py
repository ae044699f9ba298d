"""Client: requests to one API server as one identity; the only place that talks to it.

lightkube reads the kubeconfig and makes the connection; objects are decoded
straight into the caller's own types, which costs a tenth of its models.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Generic, Self, TypeVar

import httpx2
import msgspec
from lightkube.config.client_adapter import AsyncClient, ConnectionParams
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError

from .errors import KubeError, Unreachable, error_of
from .resource import Resource

T = TypeVar("T")

TIMEOUT_S = 30.0
"""For one answer; a watch has none."""

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class ListMeta(msgspec.Struct, rename="camel"):
    """What a list says about itself."""

    resource_version: str = ""


class ObjectList(msgspec.Struct, Generic[T]):
    """A list as it comes."""

    metadata: ListMeta
    items: list[T]


class Client:
    """One session. Raises KubeError and its kinds, Unreachable when there is no answer."""

    def __init__(self, config: SingleConfig, manager: str) -> None:
        """manager: name of this program in `managedFields` and in the User-Agent."""
        self.manager = manager
        self.namespace = config.namespace
        self._http = AsyncClient(config, ConnectionParams(timeout=httpx2.Timeout(TIMEOUT_S), trust_env=False))
        self._http.headers["User-Agent"] = manager
        self._http.headers["Accept-Encoding"] = "identity"

    @classmethod
    def from_env(cls, manager: str) -> Self:
        """By KUBECONFIG, else the usual file, else the pod's service account.

        Raises  Unreachable when none of them says where the API server is.
        """
        try:
            config = KubeConfig.from_env().get()
        except ConfigError as error:
            raise Unreachable(0, "NoConfiguration", str(error)) from error
        if config is None:
            raise Unreachable(0, "NoConfiguration", "the kubeconfig has no current context")
        return cls(config, manager)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._http.aclose()

    async def read(self, resource: Resource, namespace: str | None, name: str, kind: type[T]) -> T:
        """One object."""
        return msgspec.json.decode(await self._ask("GET", resource.item(namespace, name)), type=kind)

    async def list(
        self, resource: Resource, kind: type[T], namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> tuple[list[T], str]:
        """Objects, and the version of the whole: what a watch goes on from.

        labels, fields  selectors in the API's own syntax
        """
        query = _selectors(labels, fields)
        body = await self._ask("GET", resource.collection(namespace), query=query)
        found = msgspec.json.decode(body, type=ObjectList[kind])  # type: ignore[valid-type]
        return found.items, found.metadata.resource_version

    async def create(self, resource: Resource, namespace: str | None, body: Any, kind: type[T]) -> T:
        """Raises AlreadyExists when the name is taken."""
        answer = await self._ask("POST", resource.collection(namespace), body, query={"fieldManager": self.manager})
        return msgspec.json.decode(answer, type=kind)

    async def replace(
        self, resource: Resource, namespace: str | None, name: str, body: Any, kind: type[T], subresource: str = ""
    ) -> T:
        """Raises Conflict when the object has another version than `body` says."""
        path = resource.item(namespace, name, subresource)
        answer = await self._ask("PUT", path, body, query={"fieldManager": self.manager})
        return msgspec.json.decode(answer, type=kind)

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Any,
        kind: type[T],
        *,
        media_type: str = MERGE_PATCH,
        subresource: str = "",
    ) -> T:
        """Changes a part of the object."""
        path = resource.item(namespace, name, subresource)
        answer = await self._ask("PATCH", path, body, query={"fieldManager": self.manager}, media_type=media_type)
        return msgspec.json.decode(answer, type=kind)

    async def apply(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Any,
        kind: type[T],
        *,
        force: bool = True,
        subresource: str = "",
    ) -> T:
        """Server-side apply: this manager owns what `body` says, and nothing else.

        Raises  Conflict when another manager owns a field and `force` is off.
        """
        query = {"fieldManager": self.manager, "force": "true" if force else "false"}
        path = resource.item(namespace, name, subresource)
        answer = await self._ask("PATCH", path, body, query=query, media_type=APPLY_PATCH)
        return msgspec.json.decode(answer, type=kind)

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str = "",
        propagation: str = "Background",
        grace_s: int | None = None,
    ) -> None:
        """uid: delete only this very object; another one of that name raises Conflict.

        grace_s  what a pod gets to end; 0: the object goes at once. None: what the pod says.
        """
        options: dict[str, Any] = {"propagationPolicy": propagation}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        if uid:
            options["preconditions"] = {"uid": uid}
        await self._ask("DELETE", resource.item(namespace, name), options)

    async def fetch(self, path: str) -> bytes:
        """What stands at a path that is no object's."""
        return await self._ask("GET", path)

    @asynccontextmanager
    async def stream(
        self, resource: Resource, namespace: str | None, query: Mapping[str, str]
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The lines of a watch. They end when the server ends them; a cut raises Unreachable."""
        async with self.pieces(resource.collection(namespace), {"watch": "true", **query}) as pieces:
            yield _lines(pieces)

    @asynccontextmanager
    async def pieces(self, path: str, query: Mapping[str, str]) -> AsyncIterator[AsyncIterator[bytes]]:
        """An answer as it comes, for as long as it comes: a log, a watch. A cut raises Unreachable."""
        timeout = httpx2.Timeout(TIMEOUT_S, read=None)
        request = self._http.build_request("GET", path, params=query, timeout=timeout)
        try:
            answer = await self._http.send(request, stream=True)
        except httpx2.HTTPError as error:
            raise _unreachable(error) from error
        try:
            if answer.status_code != 200:
                raise error_of(answer.status_code, await answer.aread())
            yield answer.aiter_bytes()
        except httpx2.HTTPError as error:
            raise _unreachable(error) from error
        finally:
            await answer.aclose()

    async def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        media_type: str = "application/json",
    ) -> bytes:
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"Content-Type": media_type}
        try:
            answer = await self._http.request(method, path, params=query, content=content, headers=headers)
        except httpx2.HTTPError as error:
            raise _unreachable(error) from error
        if answer.is_success:
            return answer.content
        raise error_of(answer.status_code, answer.content)


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line:
                yield line


def _selectors(labels: str, fields: str) -> dict[str, str]:
    return {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}


def _unreachable(error: httpx2.HTTPError) -> KubeError:
    return Unreachable(0, "Unreachable", f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
