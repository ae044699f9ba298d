"""verbs: what an HTTP request on objects means: method, address, query and body become one call of the registry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse

from controller.local.api import answers, bodies, patch, scaling, selectors, status, strategic
from controller.local.api.deletion import DeleteOptions, delete, read_options
from controller.local.api.kinds import Kind
from controller.local.api.registry import Registry, Request
from controller.local.api.selectors import Selection
from controller.local.api.shape import without_nulls
from controller.local.api.store import encode
from controller.local.api.stream import WatchOptions, WatchResponse

Object = dict[str, Any]

Logs = Callable[[str, str, dict[str, str]], AsyncIterator[bytes]]
"""What a pod has printed: (namespace, name, query of the request) → parts; raises ApiError before the first."""

_ELSEWHERE = {
    "exec": "exec is not there on one machine: pods are processes of yours; use a shell and their pid",
    "attach": "attach is not there on one machine: pods are processes of yours; see `kubectl logs`",
    "portforward": "port-forward is not there on one machine: every pod listens on an address of it already",
    "proxy": "proxy is not there on one machine: every pod listens on an address of it already",
    "log": "logs are not there: this API server runs without a node",
}


@dataclass(frozen=True, slots=True)
class Target:
    """What an address names. `namespace` is empty for kinds without and for all namespaces, `name` for collections."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


class Verbs:
    """Answers requests on objects."""

    def __init__(self, registry: Registry, logs: Logs | None) -> None:
        self._registry = registry
        self._logs = logs

    async def answer(self, http: HttpRequest, target: Target, user: str) -> Response:
        query = dict(http.query_params)
        form = answers.form(http.headers.get("accept", ""), query.get("includeObject", ""))
        if target.subresource:
            return await self._subresource(http, target, query, form, user)
        match http.method, bool(target.name):
            case "GET", False:
                return self._list(target, query, form)
            case "GET", True:
                if query.get("watch") in ("1", "true"):
                    return self._list(target, query, form)
                entry = self._registry.get(target.kind, target.namespace, target.name)
                return answers.json_answer(answers.one(target.kind, entry.body, form))
            case "POST", False:
                return await self._create(http, target, query, form, user)
            case "PUT", True:
                return await self._update(http, target, query, form, user)
            case "PATCH", True:
                return await self._patch(http, target, query, form, user)
            case "DELETE", named:
                return await self._delete(http, target, query, form, everything=not named)
        raise status.method_not_allowed()

    async def _subresource(
        self, http: HttpRequest, target: Target, query: dict[str, str], form: answers.Form, user: str
    ) -> Response:
        kind, name = target.kind, target.subresource
        known = (name == "status" and kind.status) or (name == "scale" and kind.scale is not None)
        if name == "finalize" and kind.resource == "namespaces":
            known = http.method == "PUT"
        if known and http.method == "GET":
            entry = self._registry.get(kind, target.namespace, target.name)
            body = encode(scaling.scale_of(kind, entry.object())) if name == "scale" else entry.body
            return answers.json_answer(body if name == "scale" else answers.one(kind, body, form))
        if known and http.method == "PUT":
            return await self._update(http, target, query, form, user)
        if known and http.method == "PATCH":
            return await self._patch(http, target, query, form, user)
        if known:
            raise status.method_not_allowed()
        if kind.resource == "pods" and name in _ELSEWHERE:
            self._registry.get(kind, target.namespace, target.name)
            if name == "log" and self._logs is not None:
                return await _streamed(self._logs(target.namespace, target.name, query))
            raise status.ApiError(501, "NotImplemented", _ELSEWHERE[name])
        raise status.no_such_path()

    def _list(self, target: Target, query: dict[str, str], form: answers.Form) -> Response:
        kind = target.kind
        terms = selectors.fields(query.get("fieldSelector", ""), kind.selectable, kind.kind, kind.api_version)
        chosen = selectors.selection(target.namespace, query.get("labelSelector", ""), terms)
        if target.name:
            chosen = replace(chosen, name=target.name)
        version = _version(query)
        is_watch = query.get("watch") in ("1", "true")
        _check_match(query, is_watch=is_watch)
        registry = self._registry
        if is_watch:
            return self._watch(kind, chosen, version, query, form)
        now = registry.store.version
        if version is not None and version > now:
            raise _too_large(version, now)
        if query.get("resourceVersionMatch") == "Exact" and version != now:
            raise status.expired(f"The resourceVersion for the provided list is too old: {version} ({now})")
        return answers.json_answer(answers.many(kind, list(registry.list(kind, chosen)), now, form))

    def _watch(
        self, kind: Kind, chosen: Selection, version: int | None, query: dict[str, str], form: answers.Form
    ) -> Response:
        registry = self._registry
        wanted = query.get("sendInitialEvents")
        from_now = wanted == "false" and not version
        initial = wanted == "true" or (wanted is None and not version)
        options = WatchOptions(
            version=None if initial or from_now else version, initial=wanted == "true",
            bookmarks=query.get("allowWatchBookmarks") in ("1", "true"),
            timeout_s=float(query["timeoutSeconds"]) if query.get("timeoutSeconds", "").isdigit() else None,
        )  # fmt: skip
        present = registry.list(kind, chosen) if initial else ()
        return WatchResponse(registry.hub, kind, chosen, options, form, present, registry.store.version)

    async def _create(
        self, http: HttpRequest, target: Target, query: dict[str, str], form: answers.Form, user: str
    ) -> Response:
        kind = target.kind
        request = _request(http, query, user, "CreateOptions")
        raw = await _body(http)
        found = bodies.expected(kind, bodies.read(raw, _media(http)), target.namespace)
        mode = bodies.validation(query, "CreateOptions")
        warnings = bodies.checked(kind, found, mode, _twice(raw, found, mode))
        found = self._registry.create(kind, target.namespace, without_nulls(found), request)
        return answers.json_answer(answers.one(kind, encode(found), form), 201, warnings + request.warnings)

    async def _update(
        self, http: HttpRequest, target: Target, query: dict[str, str], form: answers.Form, user: str
    ) -> Response:
        kind = target.kind
        request = _request(http, query, user, "UpdateOptions", target.subresource)
        raw = await _body(http)
        mode = bodies.validation(query, "UpdateOptions")
        if target.subresource == "scale":
            wanted = bodies.read(raw, _media(http))
            found = self._registry.change(
                kind, target.namespace, target.name, lambda live: scaling.scaled(kind, live, wanted), request
            )
            return answers.json_answer(scaling.scale_of(kind, found))
        found = bodies.expected(kind, bodies.read(raw, _media(http)), target.namespace, target.name)
        warnings = bodies.checked(kind, found, mode, _twice(raw, found, mode))
        found = without_nulls(found)
        store = self._registry.store
        if kind.update_creates and store.get(kind.resource, target.namespace, target.name) is None:
            found["metadata"].setdefault("name", target.name)
            found = self._registry.create(kind, target.namespace, found, request)
            return answers.json_answer(answers.one(kind, encode(found), form), 201, warnings + request.warnings)

        def transform(live: Object) -> Object:
            found["metadata"].setdefault("resourceVersion", "")
            return found

        found = self._registry.change(kind, target.namespace, target.name, transform, request)
        return answers.json_answer(answers.one(kind, encode(found), form), 200, warnings + request.warnings)

    async def _patch(
        self, http: HttpRequest, target: Target, query: dict[str, str], form: answers.Form, user: str
    ) -> Response:
        kind, media = target.kind, _media(http)
        request = _request(http, query, user, "PatchOptions", target.subresource)
        mode = bodies.validation(query, "PatchOptions")
        raw = await _body(http)
        if media == patch.APPLY_PATCH:
            return self._apply(target, raw, request, mode, form)
        known = [patch.JSON_PATCH, patch.MERGE_PATCH] + ([patch.STRATEGIC_PATCH] if kind.model else [])
        if media not in known:
            raise status.unsupported_media(media or "none", [*known, patch.APPLY_PATCH])
        change = bodies.read(raw, media)
        twice = bodies.duplicates(raw, change) if mode != bodies.IGNORE else []
        warnings: list[str] = []

        def transform(live: Object) -> Object:
            if target.subresource == "scale":
                wanted = _patched(kind, scaling.scale_of(kind, live), change, media)
                return scaling.scaled(kind, live, wanted)
            found = bodies.expected(kind, _patched(kind, live, change, media), target.namespace, target.name)
            warnings.extend(bodies.checked(kind, found, mode, twice, raw.decode(errors="replace")))
            kept: Object = without_nulls(found)
            return kept

        found = self._registry.change(kind, target.namespace, target.name, transform, request)
        if target.subresource == "scale":
            return answers.json_answer(scaling.scale_of(kind, found))
        return answers.json_answer(answers.one(kind, encode(found), form), 200, warnings + request.warnings)

    def _apply(self, target: Target, raw: bytes, request: Request, mode: str, form: answers.Form) -> Response:
        kind = target.kind
        if request.manager == "":
            wrong = status.field_required("fieldManager", "is required for apply patch")
            raise status.invalid("PatchOptions", "meta.k8s.io", "", [wrong])
        found = bodies.read(raw, patch.APPLY_PATCH)
        if target.subresource == "scale":
            raise status.ApiError(501, "NotImplemented", "apply on scale is not there; patch it, or apply the object")
        config = bodies.expected(kind, found, target.namespace, target.name)
        if config["metadata"].get("managedFields"):
            raise status.bad_request("metadata.managedFields must be nil")
        warnings = bodies.checked(kind, config, mode, _twice(raw, config, mode))
        request = replace(request, is_apply=True)
        found, is_new = self._registry.apply(kind, target.namespace, target.name, without_nulls(config), request)
        code = 201 if is_new else 200
        return answers.json_answer(answers.one(kind, encode(found), form), code, warnings + request.warnings)

    async def _delete(
        self, http: HttpRequest, target: Target, query: dict[str, str], form: answers.Form, *, everything: bool
    ) -> Response:
        kind = target.kind
        raw = await _body(http)
        document = bodies.read(raw, _media(http)) if raw.strip() else {}
        options = read_options(document if isinstance(document, dict) else {}, query)
        if everything:
            return self._delete_all(target, query, options)
        found, is_gone = delete(self._registry, kind, target.namespace, target.name, options)
        if is_gone and not kind.gives_back:
            uid = found["metadata"]["uid"]
            return answers.json_answer(status.success(target.name, kind.group, kind.plural, uid))
        return answers.json_answer(answers.one(kind, encode(found), form))

    def _delete_all(self, target: Target, query: dict[str, str], options: DeleteOptions) -> Response:
        kind = target.kind
        if kind.resource == "namespaces":
            raise status.method_not_allowed()
        terms = selectors.fields(query.get("fieldSelector", ""), kind.selectable, kind.kind, kind.api_version)
        chosen = selectors.selection(target.namespace, query.get("labelSelector", ""), terms)
        gone = []
        for entry in list(self._registry.list(kind, chosen)):
            metadata = entry.object()["metadata"]
            one = replace(options, uid=metadata["uid"])
            found, _ = delete(self._registry, kind, metadata.get("namespace", ""), metadata["name"], one)
            gone.append(found)
        head = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version}
        version = str(self._registry.store.version)
        return answers.json_answer({**head, "metadata": {"resourceVersion": version}, "items": gone})


def _patched(kind: Kind, document: Object, change: Any, media: str) -> Any:
    if media == patch.JSON_PATCH:
        return patch.json_patched(document, change)
    if not isinstance(change, dict):
        raise status.bad_request("error decoding patch: the patch is not an object")
    if media == patch.MERGE_PATCH:
        return patch.merge_patched(document, change)
    return strategic.patched(kind.shape, document, change)


async def _streamed(parts: AsyncIterator[bytes]) -> Response:
    """Text as it comes. What goes wrong before the first part is still an answer of its own."""
    try:
        first = await anext(parts)
    except StopAsyncIteration:
        return Response(b"", media_type="text/plain")

    async def all_parts() -> AsyncIterator[bytes]:
        yield first
        async for part in parts:
            yield part

    return StreamingResponse(all_parts(), media_type="text/plain")


def _media(http: HttpRequest) -> str:
    return http.headers.get("content-type", "").partition(";")[0].strip()


async def _body(http: HttpRequest) -> bytes:
    if int(http.headers.get("content-length") or 0) > bodies.BODY_BYTES_MAX:
        raise status.too_large(bodies.BODY_BYTES_MAX)
    body = await http.body()
    if len(body) > bodies.BODY_BYTES_MAX:
        raise status.too_large(bodies.BODY_BYTES_MAX)
    return body


def _twice(raw: bytes, found: Object, mode: str) -> list[str]:
    return bodies.duplicates(raw, found) if mode != bodies.IGNORE else []


def _request(http: HttpRequest, query: dict[str, str], user: str, options: str, subresource: str = "") -> Request:
    dry = query.get("dryRun", "")
    if dry not in ("", "All"):
        raise status.invalid(options, "meta.k8s.io", "", [status.field_unsupported("dryRun", [dry], ["All"])])
    manager = query.get("fieldManager", "")
    if len(manager) > 128:
        wrong = _too_long(manager)
        raise status.invalid(options, "meta.k8s.io", "", [wrong])
    if not manager and _media(http) != patch.APPLY_PATCH:
        manager = http.headers.get("user-agent", "").partition("/")[0][:128] or "unknown"
    return Request(
        user=user, manager=manager, dry_run=dry == "All", force=query.get("force") == "true", subresource=subresource,
    )  # fmt: skip


def _too_long(manager: str) -> status.Cause:
    return status.Cause("FieldValueTooLong", "Too long: may not be more than 128 bytes", "fieldManager")


def _version(query: dict[str, str]) -> int | None:
    """The version that a list or a watch begins at; None when it does not say, or says 0 for any."""
    text = query.get("resourceVersion", "")
    if not text or text == "0":
        return None
    if not text.isdigit():
        raise status.bad_request(f'Invalid value: "{text}": a resourceVersion is a number')
    return int(text)


def _check_match(query: dict[str, str], *, is_watch: bool) -> None:
    """The rules of `resourceVersionMatch` and `sendInitialEvents`, which need each other."""
    match, initial = query.get("resourceVersionMatch", ""), query.get("sendInitialEvents")
    field, causes = "resourceVersionMatch", []
    if is_watch:
        if initial is not None and match != "NotOlderThan":
            why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            causes.append(status.field_forbidden(field, why))
        elif initial is None and match:
            causes.append(
                status.field_forbidden(
                    field, "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
                )
            )
    elif initial is not None:
        causes.append(status.field_forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    elif match and not query.get("resourceVersion"):
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        causes.append(status.field_forbidden(field, why))
    elif match and match not in ("Exact", "NotOlderThan"):
        causes.append(status.field_unsupported(field, match, ["Exact", "NotOlderThan", ""]))
    elif match == "Exact" and query.get("resourceVersion") == "0":
        causes.append(
            status.field_forbidden(field, 'resourceVersionMatch "Exact" is forbidden for resourceVersion "0"')
        )
    if causes:
        raise status.invalid("ListOptions", "meta.k8s.io", "", causes)


def _too_large(version: int, now: int) -> status.ApiError:
    said = f"Timeout: Too large resource version: {version}, current: {now}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return status.ApiError(504, "Timeout", said, {"causes": [cause], "retryAfterSeconds": 1})
