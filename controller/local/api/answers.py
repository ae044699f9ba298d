"""answers: the forms in which the API sends objects: as they are, as tables, or only their metadata."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from controller.local.api import tables
from controller.local.api.kinds import Kind
from controller.local.api.status import ApiError
from controller.local.api.store import Entry, decode, encode

Object = dict[str, Any]

JSON = "application/json"
PLAIN, TABLE, PARTIAL = "", "Table", "PartialObjectMetadata"


@dataclass(frozen=True, slots=True)
class Form:
    """What a client can read. include  how much of the object a row of a table carries."""

    name: str = PLAIN
    include: str = "Metadata"


def form(accept: str, include: str) -> Form:
    """The first form of an Accept header that the server has. Anything else gets plain JSON."""
    for part in accept.split(","):
        words = part.strip().split(";")
        wishes = dict(word.strip().partition("=")[::2] for word in words[1:])
        if words[0].strip() not in (JSON, "*/*", "application/*", ""):
            continue
        wanted = wishes.get("as", "")
        if wishes.get("v", "v1") not in ("v1", "") and wanted:
            continue
        if wanted in (TABLE, PARTIAL + "List", PARTIAL):
            return Form(PARTIAL if wanted.startswith(PARTIAL) else TABLE, include or "Metadata")
        if not wanted:
            break
    return Form()


def json_answer(document: Any, code: int = 200, warnings: Iterable[str] = ()) -> Response:
    body = document if isinstance(document, bytes) else encode(document)
    answer = Response(body, code, media_type=JSON)
    for warning in warnings:
        said = warning.replace("\\", "\\\\").replace('"', '\\"')
        answer.headers.append("Warning", f'299 - "{said}"')
    return answer


def error_answer(wrong: ApiError) -> Response:
    answer = json_answer(wrong.status(), wrong.code)
    if wrong.code == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def one(kind: Kind, body: bytes, wanted: Form) -> bytes:
    """One object in the form that the client wants."""
    if wanted.name == PLAIN:
        return body
    found = decode(body)
    if wanted.name == PARTIAL:
        return encode(tables.partial(found))
    return encode(tables.table(kind, iter([found]), wanted.include, found["metadata"].get("resourceVersion", "")))


def many(kind: Kind, entries: list[Entry], version: int, wanted: Form) -> bytes:
    """A list in the form that the client wants. Plain objects are sent as they are kept, without being read."""
    if wanted.name == TABLE:
        return encode(tables.table(kind, (each.object() for each in entries), wanted.include, str(version)))
    if wanted.name == PARTIAL:
        head = {"kind": PARTIAL + "List", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": str(version)}}
        return encode({**head, "items": [tables.partial(each.object()) for each in entries]})
    items = b",".join(each.body for each in entries)
    metadata = {"resourceVersion": str(version)} if kind.model else {"continue": "", "resourceVersion": str(version)}
    return b'{"kind":"%sList","apiVersion":"%s","metadata":%s,"items":[%s]}\n' % (
        kind.kind.encode(), kind.api_version.encode(), encode(metadata), items,
    )  # fmt: skip
