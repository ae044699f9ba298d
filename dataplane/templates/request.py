"""Request: what a template may ask of one logged exchange.

The names are those of Go's http.Request, url.URL and http.Header, as user
templates are written against them (spec 1.15). A view computes a field when
it is asked for, so a template pays only for what it uses.
"""

# The tables of a class are never written; ClassVar would cost an import of typing.
# ruff: noqa: RUF012

from __future__ import annotations

from dataplane.templates.url import Url, Values
from dataplane.templates.values import Int64, Map, NilPointer, Struct, string

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UPPER_FIRST = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_names: dict[bytes, str] = {}
NAMES_MAX = 1024


def canonical(name: str) -> str:
    """A header name as Go keeps it: each part between dashes starts with a capital.

    A name with a character that no token has stays as it is.
    """
    if not name or not UPPER_FIRST.issuperset(name):
        return name
    return "-".join([part[:1].upper() + part[1:].lower() for part in name.split("-")])


def canonical_bytes(name: bytes) -> str:
    """The same for a name from the wire; the usual ones are remembered."""
    known = _names.get(name)
    if known is None:
        known = canonical(string(name))
        if len(_names) < NAMES_MAX:
            _names[name] = known
    return known


def header_get(header: Map, name: str) -> str:
    values = header.items.get(canonical(name))
    return values[0] if values else ""


def header_values(header: Map, name: str) -> list[str]:
    return header.items.get(canonical(name)) or []


class Header(Map):
    """http.Header."""

    __slots__ = ()
    TYPE = "http.Header"
    METHODS = {"Get": (header_get, ("string",)), "Values": (header_values, ("string",))}


# Fields that Go keeps outside of the header map.
NOT_IN_HEADER = frozenset(("Host", "Transfer-Encoding", "Trailer"))


class Tls(Struct):
    """tls.ConnectionState: that it is there, and nothing more."""

    __slots__ = ()
    TYPE = "*tls.ConnectionState"
    UNSUPPORTED = frozenset(
        [
            "Version",
            "HandshakeComplete",
            "DidResume",
            "CipherSuite",
            "CurveID",
            "NegotiatedProtocol",
            "NegotiatedProtocolIsMutual",
            "ServerName",
            "PeerCertificates",
            "VerifiedChains",
            "SignedCertificateTimestamps",
            "OCSPResponse",
            "TLSUnique",
            "ECHAccepted",
            "HelloRetryRequest",
            "LocalCertificate",
        ]
    )


TLS, NO_TLS = Tls(), NilPointer("*tls.ConnectionState")


class Request(Struct):
    """http.Request over one record (see dataplane.accesslog.Record)."""

    __slots__ = ("_header", "_url", "record")
    TYPE = "*http.Request"

    def __init__(self, record: Any) -> None:
        self.record = record
        self._header: Header | None = None
        self._url: Url | None = None

    def header(self) -> Header:
        if self._header is None:
            items: dict[str, list[str]] = {}
            for name, value in self.record.headers:
                key = canonical_bytes(name)
                if key not in NOT_IN_HEADER:
                    items.setdefault(key, []).append(string(value))
            self._header = Header(items)
        return self._header

    def url(self) -> Url:
        if self._url is None:
            self._url = Url(self.record.target)
        return self._url

    def version(self) -> tuple[int, int]:
        major, _, minor = self.record.proto.removeprefix("HTTP/").partition(".")
        return int(major), int(minor or "0")

    def proto_at_least(self, major: int, minor: int) -> bool:
        return self.version() >= (major, minor)

    def transfer_encoding(self) -> list[str]:
        chunked = any(canonical_bytes(n) == "Transfer-Encoding" for n, _ in self.record.headers)
        return ["chunked"] if chunked else []

    FIELDS = {
        "Method": lambda r: r.record.method,
        "URL": url,
        "Proto": lambda r: r.record.proto,
        "ProtoMajor": lambda r: r.version()[0],
        "ProtoMinor": lambda r: r.version()[1],
        "Header": header,
        "ContentLength": lambda r: Int64(r.record.content_length),
        "TransferEncoding": transfer_encoding,
        "Host": lambda r: r.record.host,
        "RemoteAddr": lambda r: r.record.remote_addr,
        "RequestURI": lambda r: string(r.record.target),
        "TLS": lambda r: TLS if r.record.tls else NO_TLS,
    }
    METHODS = {
        "UserAgent": (lambda r: header_get(r.header(), "User-Agent"), ()),
        "Referer": (lambda r: header_get(r.header(), "Referer"), ()),
        "ProtoAtLeast": (proto_at_least, ("int", "int")),
    }
    UNSUPPORTED = frozenset(
        [
            "Body",
            "GetBody",
            "Close",
            "Form",
            "PostForm",
            "MultipartForm",
            "Trailer",
            "Cancel",
            "Response",
            "Pattern",
            "AddCookie",
            "BasicAuth",
            "Clone",
            "Context",
            "Cookie",
            "Cookies",
            "CookiesNamed",
            "FormFile",
            "FormValue",
            "MultipartReader",
            "ParseForm",
            "ParseMultipartForm",
            "PathValue",
            "PostFormValue",
            "SetBasicAuth",
            "SetPathValue",
            "WithContext",
            "Write",
            "WriteProxy",
        ]
    )


class Response(Struct):
    """Status, body bytes and duration of one exchange."""

    __slots__ = ("record",)
    TYPE = "*http.RequestLogResponse"

    def __init__(self, record: Any) -> None:
        self.record = record

    FIELDS = {
        "Code": lambda r: r.record.status,
        "Size": lambda r: r.record.response_bytes,
        "Latency": lambda r: r.record.latency_s,
    }
    PRINTS = ("Code", "Size", "Latency")


class Revision(Struct):
    """Whose sidecar writes the line: the same for every record of a process.

    name, namespace, service, configuration, pod_name, pod_ip   from the environment; may be empty.
    """

    __slots__ = ("configuration", "name", "namespace", "pod_ip", "pod_name", "service")
    TYPE = "*http.RequestLogRevision"

    @classmethod
    def of(cls, identity: Any) -> Revision:
        """From the settings' identity (dataplane.config.schema.Identity)."""
        return cls(
            name=identity.revision,
            namespace=identity.namespace,
            service=identity.service,
            configuration=identity.configuration,
            pod_name=identity.pod,
            pod_ip=identity.pod_ip,
        )

    def __init__(
        self, *, name: str, namespace: str, service: str, configuration: str, pod_name: str, pod_ip: str
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.service = service
        self.configuration = configuration
        self.pod_name = pod_name
        self.pod_ip = pod_ip

    FIELDS = {
        "Name": lambda r: r.name,
        "Namespace": lambda r: r.namespace,
        "Service": lambda r: r.service,
        "Configuration": lambda r: r.configuration,
        "PodName": lambda r: r.pod_name,
        "PodIP": lambda r: r.pod_ip,
    }
    PRINTS = ("Name", "Namespace", "Service", "Configuration", "PodName", "PodIP")


def trace_id(root: Root) -> str:
    """The second field of `traceparent`, else X-B3-TraceId, else nothing (spec 1.15)."""
    fields = header_get(root.request.header(), "Traceparent").split("-")
    if len(fields) >= 2:
        return fields[1]
    return header_get(root.request.header(), "X-B3-Traceid")


class Root(Struct):
    """What the dot is at the start of a template."""

    __slots__ = ("request", "response", "revision")
    TYPE = "*http.RequestLogTemplateInput"

    def __init__(self, record: Any, revision: Revision) -> None:
        self.request = Request(record)
        self.response = Response(record)
        self.revision = revision

    FIELDS = {
        "Request": lambda r: r.request,
        "Response": lambda r: r.response,
        "Revision": lambda r: r.revision,
        "TraceID": trace_id,
    }


# What a chain of names from the root may meet, for the check before the first record.
SCHEMA: dict[str, tuple[type[Struct], dict[str, str]]] = {
    "root": (Root, {"Request": "request", "Response": "response", "Revision": "revision"}),
    "request": (Request, {"URL": "url", "TLS": "tls"}),
    "response": (Response, {}),
    "revision": (Revision, {}),
    "url": (Url, {}),
    "tls": (Tls, {}),
}
__all__ = ["SCHEMA", "Header", "Request", "Response", "Revision", "Root", "Values", "canonical", "trace_id"]
