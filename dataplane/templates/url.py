"""Url: a request target taken apart as Go's url.URL does it.

Only what reaches a server is meant: the origin form "/path?query", the
absolute form "http://host/path", and "*". A target with a broken escape,
which Go would refuse, keeps its path as it came.
Source: RFC 3986, RFC 9112 3.2; the documentation of Go's net/url.
"""

# The tables of a class are never written; ClassVar would cost an import of typing.
# ruff: noqa: RUF012

from __future__ import annotations

from dataplane.templates.values import Map, Struct, string

HEX = b"0123456789ABCDEFabcdef"
UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
PATH_SAFE = UNRESERVED | frozenset(b"$&+,/:;=@")
# Characters that may stand in an encoded path although our own encoding would escape them.
PATH_VALID = PATH_SAFE | frozenset(b"!'()*[]%")


def unescape(data: bytes, plus: bool = False) -> bytes | None:
    """Percent-decoded bytes, None when an escape is broken.

    plus  whether "+" means a space, as it does in a query.
    """
    if plus:
        data = data.replace(b"+", b" ")
    head, *rest = data.split(b"%")
    out = [head]
    for piece in rest:
        if len(piece) < 2 or piece[0] not in HEX or piece[1] not in HEX:
            return None
        out.append(bytes((int(piece[:2], 16),)))
        out.append(piece[2:])
    return b"".join(out)


def escape(data: bytes, safe: frozenset[int], plus: bool = False) -> str:
    """Percent-encoded text; every byte outside `safe` is escaped, a space as "+" when `plus`."""
    out = []
    for byte in data:
        if byte in safe:
            out.append(chr(byte))
        else:
            out.append("+" if plus and byte == 32 else f"%{byte:02X}")
    return "".join(out)


def values_get(values: Map, name: str) -> str:
    found = values.items.get(name)
    return found[0] if found else ""


def values_encode(values: Map) -> str:
    def quote(text: str) -> str:
        return escape(text.encode("utf-8", "surrogateescape"), UNRESERVED, plus=True)

    return "&".join([f"{quote(k)}={quote(v)}" for k in sorted(values.items, key=_bytes) for v in values.items[k]])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


class Values(Map):
    """url.Values."""

    __slots__ = ()
    TYPE = "url.Values"
    METHODS = {
        "Get": (values_get, ("string",)),
        "Has": (lambda v, name: name in v.items, ("string",)),
        "Encode": (values_encode, ()),
    }


class Url(Struct):
    """url.URL of one request target.

    target  as it came, in bytes.
    """

    __slots__ = ("force_query", "host", "path", "query", "raw_path", "scheme", "target")
    TYPE = "*url.URL"

    def __init__(self, target: bytes) -> None:
        self.target = target
        self.scheme = self.host = ""
        rest = target
        scheme, colon, after = target.partition(b"://")
        if colon and not target.startswith(b"/") and b"/" not in scheme:
            self.scheme = string(scheme).lower()
            cut = min([i for i in (after.find(b"/"), after.find(b"?")) if i >= 0], default=len(after))
            self.host, rest = string(after[:cut]), after[cut:]
        path, mark, query = rest.partition(b"?")
        self.force_query = bool(mark) and not query
        self.query = string(query)
        decoded = unescape(path)
        self.path = string(path if decoded is None else decoded)
        plain = decoded is not None and escape(decoded, PATH_SAFE).encode() == path
        self.raw_path = "" if plain or decoded is None else string(path)

    def escaped_path(self) -> str:
        if self.raw_path and PATH_VALID.issuperset(_bytes(self.raw_path)):
            return self.raw_path
        if self.path == "*":
            return "*"
        return escape(_bytes(self.path), PATH_SAFE)

    def request_uri(self) -> str:
        path = self.escaped_path() or "/"
        return path + "?" + self.query if self.query or self.force_query else path

    def text(self) -> str:
        path = self.escaped_path()
        front = f"{self.scheme}://{self.host}" if self.scheme else ""
        return front + path + ("?" + self.query if self.query or self.force_query else "")

    def values(self) -> Values:
        found: dict[str, list[str]] = {}
        for pair in _bytes(self.query).split(b"&"):
            name, _, value = pair.partition(b"=")
            key, item = unescape(name, plus=True), unescape(value, plus=True)
            if pair and b";" not in pair and key is not None and item is not None:
                found.setdefault(string(key), []).append(string(item))
        return Values(found)

    def hostname(self) -> str:
        if self.host.startswith("["):
            return self.host[1:].partition("]")[0]
        return self.host.rpartition(":")[0] if self.port() else self.host.removesuffix(":")

    def port(self) -> str:
        port = self.host.rpartition(":")[2] if ":" in self.host else ""
        return port if port.isdigit() else ""

    FIELDS = {
        "Scheme": lambda u: u.scheme,
        "Opaque": lambda u: "",
        "Host": lambda u: u.host,
        "Path": lambda u: u.path,
        "RawPath": lambda u: u.raw_path,
        "ForceQuery": lambda u: u.force_query,
        "RawQuery": lambda u: u.query,
        "Fragment": lambda u: "",
        "RawFragment": lambda u: "",
        "OmitHost": lambda u: False,
    }
    METHODS = {
        "String": (text, ()),
        "Query": (values, ()),
        "RequestURI": (request_uri, ()),
        "Hostname": (hostname, ()),
        "Port": (port, ()),
        "EscapedPath": (escaped_path, ()),
        "EscapedFragment": (lambda u: "", ()),
        "IsAbs": (lambda u: bool(u.scheme), ()),
        "Redacted": (text, ()),
    }
    UNSUPPORTED = frozenset(
        ["User", "JoinPath", "MarshalBinary", "Parse", "ResolveReference", "UnmarshalBinary", "AppendBinary"]
    )
