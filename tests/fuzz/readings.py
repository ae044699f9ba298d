"""readings: how one message is read by us, by h11 and by llhttp (httptools)."""

from __future__ import annotations

from dataclasses import dataclass

import h11
import httptools

from ext.testing.http import Body, Message


@dataclass(frozen=True, slots=True)
class Reading:
    """What one parser makes of the bytes; only the first message counts."""

    kind: str
    """"message": complete; "more": not yet; "refused"."""

    why: str = ""
    """Of a refusal: our fault, or the peer's words."""

    start: tuple = ()
    """Method, target, version; or status, version."""

    fields: tuple[tuple[bytes, bytes], ...] = ()
    """Names in lower case."""

    body: bytes = b""
    trailers: tuple[tuple[bytes, bytes], ...] = ()


def lowered(fields) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((bytes(name).lower(), bytes(value)) for name, value in fields)


def ours(data: bytes, of_request: bool) -> Reading:
    message = Message(data, of_request=of_request)
    if message.result != "ok":
        return Reading("more" if message.result == "again" else "refused", message.result)
    view = message.view()
    start = (view["method"], view["target"]) if of_request else (view["status"],)
    start = (*start, view["version"])
    fields = lowered(view["fields"])
    body = Body(view["framing"], view["length"], of_request=of_request)
    result, content, _ = body.feed(data[message.used :])
    if result == "again":
        kind = "message" if view["framing"] == "until_close" else "more"
        return Reading(kind, "again", start, fields, content)
    if result != "done":
        return Reading("refused", result, start, fields, content)
    trailers = lowered(body.trailers()) if view["framing"] == "chunked" else ()
    return Reading("message", "", start, fields, content, trailers)


def h11_reading(data: bytes, of_request: bool) -> Reading:
    peer = h11.Connection(h11.SERVER if of_request else h11.CLIENT, max_incomplete_event_size=1 << 20)
    if not of_request:
        peer.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
        peer.send(h11.EndOfMessage())
    peer.receive_data(data)
    start, fields, body = (), (), b""
    ended = False
    while True:
        try:
            event = peer.next_event()
        except h11.RemoteProtocolError as error:
            return Reading("refused", str(error), start, fields, body)
        if isinstance(event, h11.Request):
            start = (event.method, event.target, 10 if event.http_version == b"1.0" else 11)
            fields = lowered(event.headers)
        elif isinstance(event, h11.Response | h11.InformationalResponse):
            start = (event.status_code, 10 if event.http_version == b"1.0" else 11)
            fields = lowered(event.headers)
            if event.status_code < 200:
                return Reading("message", "", start, fields)
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return Reading("message", "", start, fields, body, lowered(event.headers))
        elif not of_request and start and not ended:
            peer.receive_data(b"")
            ended = True
        else:
            return Reading("more", "", start, fields, body)


class Callbacks:
    """What llhttp tells about its first message."""

    def __init__(self) -> None:
        self.url = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.head_fields: int | None = None
        self.start: tuple = ()
        self.peer = None
        self.body = b""
        self.complete = False

    def on_url(self, url: bytes) -> None:
        if not self.complete:
            self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.complete:
            self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        if self.head_fields is None:
            self.head_fields = len(self.fields)
            version = {"1.0": 10, "1.1": 11}.get(self.peer.get_http_version(), 0)
            of_request = isinstance(self.peer, httptools.HttpRequestParser)
            self.start = (self.peer.get_method(), self.url) if of_request else (self.peer.get_status_code(),)
            self.start = (*self.start, version)

    def on_body(self, body: bytes) -> None:
        if not self.complete:
            self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


def llhttp_reading(data: bytes, of_request: bool) -> Reading:
    told = Callbacks()
    peer = httptools.HttpRequestParser(told) if of_request else httptools.HttpResponseParser(told)
    told.peer = peer
    why = ""
    try:
        peer.feed_data(data)
    except httptools.HttpParserUpgrade:
        told.complete = True
        why = "upgrade"
    except httptools.HttpParserError as error:
        why = str(error) or type(error).__name__
    heads = told.head_fields or 0
    reading = (told.start, lowered(told.fields[:heads]), told.body, lowered(told.fields[heads:]))
    if told.complete:
        return Reading("message", why, *reading)
    if why:
        return Reading("refused", why, *reading)
    endless = not of_request and told.head_fields is not None
    framed = {b"content-length", b"transfer-encoding"} & {name for name, _ in reading[1]}
    return Reading("message" if endless and not framed else "more", "", *reading)


PEERS = {"h11": h11_reading, "llhttp": llhttp_reading}
