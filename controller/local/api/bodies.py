"""bodies: what clients send, read and checked for fields that no kind has."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import yaml

from controller.local.api import protobuf, status
from controller.local.api.checking import first_misfit
from controller.local.api.kinds import Kind
from controller.local.api.shape import pruned
from controller.local.api.store import decode

Object = dict[str, Any]

STRICT, WARN, IGNORE = "Strict", "Warn", "Ignore"

BODY_BYTES_MAX = 3 << 20

JSON_TYPES = ("application/json", "text/json")
YAML_TYPES = ("application/yaml", "text/yaml", "application/x-yaml")


class _Loader(yaml.CSafeLoader):
    """YAML as the API reads it: times stay words."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def read(raw: bytes, media: str) -> Any:
    """The value that a body holds. `media` is its type, or empty.

    Raises  ApiError 400 if it cannot be read, 415 for a type that the server does not know
    """
    if media in JSON_TYPES or media.endswith("+json") or raw[:1] == b"{" or not media:
        try:
            return decode(raw)
        except msgspec.DecodeError as wrong:
            raise status.bad_request(f"couldn't get version/kind; json parse error: {wrong}") from None
    if media in YAML_TYPES or media.endswith("+yaml"):
        try:
            return _with_words(yaml.load(raw, _Loader))
        except yaml.YAMLError as wrong:
            raise status.bad_request(f"error decoding YAML: {' '.join(str(wrong).split())}") from None
    if media == protobuf.MEDIA:
        try:
            return protobuf.read(raw)
        except ValueError as wrong:
            raise status.ApiError(415, "UnsupportedMediaType", f"the message cannot be read: {wrong}") from None
    raise status.unsupported_media(media, [*JSON_TYPES[:1], *YAML_TYPES[:1], protobuf.MEDIA])


def _with_words(value: Any) -> Any:
    """The keys of JSON are words: `1:` is "1", and `on:` is "true", as YAML 1.1 has it."""
    if isinstance(value, dict):
        return {name if isinstance(name, str) else json.dumps(name): _with_words(each) for name, each in value.items()}
    return [_with_words(each) for each in value] if isinstance(value, list) else value


def duplicates(raw: bytes, value: Any) -> list[str]:
    """Paths of fields that a JSON text has twice. `value` is what was read from it.

    Every key of a usual text is followed by a colon at once, so that counting them shows nearly always that there
    is nothing to look for.
    """
    if raw[:1] != b"{" or raw.count(b'":') == _keys(value):
        return []
    found: list[str] = []
    _walk_pairs(json.loads(raw, object_pairs_hook=_Pairs), "", found)
    return found


class _Pairs(list[Any]):
    """A JSON object with all its pairs."""


def _keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_keys(each) for each in value.values() if isinstance(each, dict | list))
    if isinstance(value, list):
        return sum(_keys(each) for each in value if isinstance(each, dict | list))
    return 0


def _walk_pairs(value: Any, path: str, found: list[str]) -> None:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for name, each in value:
            where = f"{path}.{name}" if path else name
            if name in seen:
                found.append(where)
            seen.add(name)
            _walk_pairs(each, where, found)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            _walk_pairs(each, f"{path}[{number}]", found)


def validation(query: dict[str, str], options: str) -> str:
    """How strict a write wants the server to be: `fieldValidation` of its query."""
    mode = query.get("fieldValidation") or WARN
    if mode not in (STRICT, WARN, IGNORE):
        wrong = status.field_unsupported("fieldValidation", mode, ["", IGNORE, STRICT, WARN])
        raise status.invalid(options, "meta.k8s.io", "", [wrong])
    return mode


def checked(kind: Kind, found: Object, mode: str, twice: list[str], patch: str | None = None) -> list[str]:
    """Takes unknown fields out of an object, in place; gives the warnings about them.

    patch   the text of the patch that the object comes from, if it does
    Raises  ApiError 400 (422 for a patch) if the mode is Strict and there are such fields, or a value has a type
            that the kind cannot hold
    """
    if kind.model and (misfit := first_misfit(kind.shape, found)):
        said = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {misfit}'
        raise status.bad_request(said)
    paths = list(pruned(kind.shape, found))
    unknown = [f'unknown field "{path}"' for path in (paths if kind.model else sorted(paths))]
    problems = [f'duplicate field "{path}"' for path in twice] + unknown
    if mode == STRICT and problems:
        said = "strict decoding error: " + ", ".join(problems)
        if patch is not None:
            raise status.invalid("", "", "", [status.field_invalid("patch", patch, said)])
        head = f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
        raise status.bad_request(head + said)
    return problems if mode == WARN else []


def expected(kind: Kind, found: Any, namespace: str, name: str = "") -> Object:
    """The object of a body, which has to be of the kind, namespace and name that the address says.

    Raises  ApiError 400
    """
    if not isinstance(found, dict):
        raise status.bad_request("couldn't get version/kind; json parse error: the body is not an object")
    version, its_kind = found.get("apiVersion") or kind.api_version, found.get("kind") or kind.kind
    if version != kind.api_version:
        said = f"the API version in the data ({version}) does not match the expected API version ({kind.api_version})"
        raise status.bad_request(said)
    if its_kind != kind.kind:
        wrong, right = f"{version}, Kind={its_kind}", f"{kind.api_version}, Kind={kind.kind}"
        said = (
            f'{its_kind} in version "{kind.version}" cannot be handled as a {kind.kind}: expected {right}, got {wrong}'
        )
        raise status.bad_request(said)
    metadata = found.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise status.bad_request("metadata is not an object")
    if kind.namespaced and metadata.get("namespace", namespace) not in (namespace, ""):
        said = "the namespace of the provided object does not match the namespace sent on the request"
        raise status.bad_request(said)
    if name and metadata.get("name", name) != name:
        said = f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
        raise status.bad_request(said)
    return {"apiVersion": kind.api_version, "kind": kind.kind, **found, "metadata": metadata}
