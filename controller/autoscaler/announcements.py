"""Announcements: takes the word of sidecars that their pods can serve (contract.announcement).

One message on a connection of its own. It is believed for the pod that its
token is bound to, and for no other: the token says the name and the uid, the
pod's own labels say the revision, and the address has to be the pod's.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from controller.api.core import Pod
from controller.api.meta import REVISION_LABEL
from controller.kube.cache import Key
from dataplane.contract.announcement import PATH, Announcement, read_announcement
from dataplane.kube.errors import KubeError

from .tokens import Bearer, TokenRefused, Tokens

log = logging.getLogger("penstock.announcements")

HEAD_BYTES_MAX = 32 << 10
"""A token has a kilobyte or two."""
BODY_BYTES_MAX = 4 << 10
MESSAGE_S = 10.0
"""For all of a message; a pod that is slower is found by its probe."""
LINGER_S = 1.0
CONNECTIONS_MAX = 1_000
PEER_MAX, WINDOW_S = 200, 10.0
"""Messages from one address. A node that hides its pods behind its own may start a hundred at once."""

METRIC = "penstock_announcements_total"
OVER = ("Succeeded", "Failed")


class Refused(Exception):
    """status: what the sidecar is told. why: for the log. outcome: what is counted."""

    def __init__(self, status: HTTPStatus, outcome: str, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.outcome = outcome


class Announcements:
    """Serves sidecars.

    pod   the pod of a namespace and name, as far as it has been seen
    told  takes the key of a revision, and the address of a pod of it that serves
    """

    def __init__(
        self,
        tokens: Tokens,
        pod: Callable[[str, str], Pod | None],
        told: Callable[[Key, str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = tokens
        self._pod = pod
        self._told = told
        self._now = now
        self._since = now()
        self._peers: Counter[str] = Counter()
        self._open = 0
        self.counts: Counter[str] = Counter()
        """Messages by outcome."""

    async def run(self, host: str, port: int, bound: asyncio.Future[int] | None = None) -> None:
        """Listens until cancelled; `bound` gets the port."""
        async with asyncio.TaskGroup() as group:

            def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                group.create_task(self._serve(reader, writer))

            server = await asyncio.start_server(come, host, port, limit=HEAD_BYTES_MAX)
            if bound is not None:
                bound.set_result(server.sockets[0].getsockname()[1])
            try:
                await asyncio.Event().wait()
            finally:
                server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Of a connection that is gone already the transport knows nothing.
        peer = str((writer.get_extra_info("peername") or ("",))[0])
        self._open += 1
        try:
            async with asyncio.timeout(MESSAGE_S):
                status, text = await self._answer(reader, peer)
                said = text.encode()
                head = f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
                if status != HTTPStatus.NO_CONTENT:
                    head += f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(said)}\r\n"
                writer.write(head.encode() + b"\r\n" + said)
                await writer.drain()
            await _linger(reader, writer)
        except (TimeoutError, OSError, EOFError):
            self.counts["cut"] += 1
        except Exception:
            log.exception("a message of %s could not be answered", peer)
        finally:
            self._open -= 1
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, peer: str) -> tuple[HTTPStatus, str]:
        try:
            self._admit(peer)
            first, fields = await _head(reader)
            if first == ("GET", "/metrics"):
                return HTTPStatus.OK, self._metrics()
            said = await _message(first, fields, reader)
            await self._hear(said, _token(fields), peer)
        except Refused as refused:
            self.counts[refused.outcome] += 1
            log.warning("an announcement of %s is refused: %s", peer, refused)
            return refused.status, f"{refused}\n"
        self.counts["believed"] += 1
        return HTTPStatus.NO_CONTENT, ""

    def _admit(self, peer: str) -> None:
        now = self._now()
        if now - self._since >= WINDOW_S:
            self._since = now
            self._peers.clear()
        self._peers[peer] += 1
        if self._open > CONNECTIONS_MAX or self._peers[peer] > PEER_MAX:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "too_many", "too many at once; come again")

    async def _hear(self, said: Announcement, token: str, peer: str) -> None:
        try:
            bearer = await self._tokens.bearer(token)
        except TokenRefused as wrong:
            raise Refused(HTTPStatus.UNAUTHORIZED, "unauthenticated", str(wrong)) from wrong
        except KubeError as wrong:
            why = f"the token cannot be reviewed: {wrong}"
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "unreviewed", why) from wrong
        key = self._believed(said, bearer, peer)
        log.info("pod %s of revision %s/%s serves at %s", bearer.name, *key, said.address)
        self._told(key, said.address)

    def _believed(self, said: Announcement, bearer: Bearer, peer: str) -> Key:
        """The revision. Raises Refused unless all that is said is so of the bearer."""
        whole = f"{bearer.namespace}/{bearer.name}"
        pod = self._pod(bearer.namespace, bearer.name)
        if said.pod != whole:
            raise _forbidden(f"the token is that of pod {whole}, and not of {said.pod}")
        if pod is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "unseen", f"pod {whole} has not been seen yet")
        if pod.metadata.uid != bearer.uid:
            raise _forbidden(f"the token is that of an earlier pod {whole}")
        if pod.is_deleted or pod.status.phase in OVER:
            raise _forbidden(f"pod {whole} is on its way out")
        revision = pod.metadata.labels.get(REVISION_LABEL, "")
        if said.revision != f"{bearer.namespace}/{revision}":
            raise _forbidden(f"pod {whole} is of revision {revision or 'none'}, and not of {said.revision}")
        # The API server may not know the address yet; then it is the one that the message comes from.
        address = _ip(said.address)
        if address is None or address != _ip(pod.status.pod_ip or peer):
            if pod.status.pod_ip:
                raise _forbidden(f"pod {whole} is at {pod.status.pod_ip}, and not at {said.address}")
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "unseen", f"no address of pod {whole} has been seen yet")
        return bearer.namespace, revision

    def _metrics(self) -> str:
        rows = [f'{METRIC}{{outcome="{outcome}"}} {count}' for outcome, count in sorted(self.counts.items())]
        return "\n".join([f"# HELP {METRIC} Messages of sidecars.", f"# TYPE {METRIC} counter", *rows, ""])


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the other side has closed: what is closed over unread bytes is reset, and the answer with it."""
    writer.write_eof()
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            while await reader.read(HEAD_BYTES_MAX):
                pass


async def _head(reader: asyncio.StreamReader) -> tuple[tuple[str, str], dict[str, str]]:
    """Method and path, and the fields by their names in lower case."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError as error:
        raise _malformed(f"the head is longer than {HEAD_BYTES_MAX} bytes") from error
    first, *lines = head.split("\r\n")[:-2]
    words = first.split(" ")
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name.lower() in fields:
            raise _malformed("a line of the head is no field, or comes twice")
        fields[name.lower()] = value.strip()
    if len(words) != 3 or words[2] not in ("HTTP/1.0", "HTTP/1.1"):
        raise _malformed("the first line is not HTTP/1.1's")
    return (words[0], words[1]), fields


async def _message(first: tuple[str, str], fields: dict[str, str], reader: asyncio.StreamReader) -> Announcement:
    if first != ("POST", PATH):
        raise Refused(HTTPStatus.NOT_FOUND, "malformed", f"there is POST {PATH}, and nothing else")
    length = fields.get("content-length", "")
    if "transfer-encoding" in fields or not (length.isascii() and length.isdigit() and len(length) <= 5):
        raise _malformed("the body needs a Content-Length")
    if int(length) > BODY_BYTES_MAX:
        raise _malformed(f"the body is longer than {BODY_BYTES_MAX} bytes")
    try:
        return read_announcement(json.loads(await reader.readexactly(int(length))))
    except (ValueError, RecursionError) as error:
        raise _malformed(str(error)) from error


def _token(fields: dict[str, str]) -> str:
    scheme, _, token = fields.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused(HTTPStatus.UNAUTHORIZED, "unauthenticated", "there is no bearer token")
    return token.strip()


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, as IPv4 where it is one that is written in IPv6; None for no address."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _malformed(why: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, "malformed", why)


def _forbidden(why: str) -> Refused:
    return Refused(HTTPStatus.FORBIDDEN, "forbidden", why)
