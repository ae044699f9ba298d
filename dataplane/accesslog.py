"""Access log: finished exchanges to lines on standard output.

A line is made by the user's template or by the default one, and is written
whole: several lines go out in one write, and none is ever mixed with
another. With the log off nothing here is imported.
Source: spec 1.15, DP-142 to DP-149, W13.
"""

from __future__ import annotations

# What `os` passes on, without the 1 ms that importing it costs.
import posix

from dataplane.templates.compile import Template
from dataplane.templates.errors import ExecError, TemplateError
from dataplane.templates.format import shortest
from dataplane.templates.request import Revision, Root, trace_id
from dataplane.templates.values import string

# The template that every Knative installation sends when nobody wrote one.
UPSTREAM_DEFAULT = (
    '{"httpRequest": {"requestMethod": "{{.Request.Method}}", "requestUrl": "{{js .Request.RequestURI}}", '
    '"requestSize": "{{.Request.ContentLength}}", "status": {{.Response.Code}}, "responseSize": "{{.Response.Size}}", '
    '"userAgent": "{{js .Request.UserAgent}}", "remoteIp": "{{js .Request.RemoteAddr}}", '
    '"serverIp": "{{.Revision.PodIP}}", "referer": "{{js .Request.Referer}}", "latency": "{{.Response.Latency}}s", '
    '"protocol": "{{.Request.Proto}}"}, "traceId": "{{.TraceID}}"}'
)
ABORTED_STATUS = 500
WRITE_BYTES = 64 * 1024
"""Lines are gathered up to this size before they are written; a pipe holds as much."""
FILE_KIND_BITS, FILE_KIND_REGULAR = 0o170000, 0o100000
"""Of st_mode (inode(7)); `stat` would be one more import."""

JSON_ESCAPES = {34: '\\"', 92: "\\\\", 10: "\\n", 13: "\\r", 9: "\\t"}
JSON_ESCAPES |= {c: f"\\u{c:04x}" for c in (*range(32), 127, 0x2028, 0x2029) if c not in JSON_ESCAPES}
# A byte that is no UTF-8 would make the whole line unreadable.
JSON_ESCAPES |= dict.fromkeys(range(56448, 56576), "�")


class Record:
    """One finished exchange, as the log sees it.

    method, target    as received; the target in bytes.
    host, proto       "example.com:80", "HTTP/1.1".
    headers           (name, value) in bytes, in order, as the stages left them.
    content_length    of the request, in bytes; -1 when it was not said.
    remote_addr       "address:port" of the caller.
    status            the final one; response_bytes  of the body.
    latency_s         from the head of the request to the end of the answer.
    tls               whether the caller spoke TLS.
    start_unix_ns     when the request began.
    aborted           the answer was cut: logged as 500 with no bytes.
    probe             logged only when probes are asked for (DP-144).
    """

    __slots__ = (
        "aborted",
        "content_length",
        "headers",
        "host",
        "latency_s",
        "method",
        "probe",
        "proto",
        "remote_addr",
        "response_bytes",
        "start_unix_ns",
        "status",
        "target",
        "tls",
    )

    def __init__(
        self,
        *,
        method: str,
        target: bytes,
        host: str,
        proto: str,
        headers: list[tuple[bytes, bytes]],
        content_length: int,
        remote_addr: str,
        status: int,
        response_bytes: int,
        latency_s: float,
        tls: bool = False,
        start_unix_ns: int = 0,
        aborted: bool = False,
        probe: bool = False,
    ) -> None:
        self.method = method
        self.target = target
        self.host = host
        self.proto = proto
        self.headers = headers
        self.content_length = content_length
        self.remote_addr = remote_addr
        self.status = ABORTED_STATUS if aborted else status
        self.response_bytes = 0 if aborted else response_bytes
        self.latency_s = latency_s
        self.tls = tls
        self.start_unix_ns = start_unix_ns
        self.aborted = aborted
        self.probe = probe


def json_text(text: str) -> str:
    """The inside of a JSON string: escaped, and valid UTF-8 whatever came in."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return text.translate(JSON_ESCAPES)


class AccessLog:
    """Records to line bytes, by one template.

    template    Go text/template, not empty (an empty one means that the log
                is off). None, or UPSTREAM_DEFAULT, which Knative sends when
                nobody wrote one, means our own default: the same keys in the
                same order, and valid JSON whatever the caller sent (W13).
    revision    whose sidecar this is.
    probes      whether probes are logged too.
    Raises      TemplateError with the place when the text cannot be used; the
                caller says so in its log and serves on without one (DP-146).
    """

    __slots__ = ("_server_ip", "_template", "probes", "revision")

    def __init__(self, template: str | None, revision: Revision, probes: bool = False) -> None:
        self.revision = revision
        self.probes = probes
        self._server_ip = json_text(revision.pod_ip)
        self._template: Template | None = None
        if template is not None and template.strip() != UPSTREAM_DEFAULT:
            self._template = Template(template)

    def line(self, record: Record) -> bytes:
        """One line with its newline; empty for a probe that is not wanted."""
        if record.probe and not self.probes:
            return b""
        if self._template is None:
            text = self._default(record)
        else:
            try:
                text = self._template.render(Root(record, self.revision))
            except ExecError:
                text = fallback(record)
        line = text.encode("utf-8", "surrogateescape")
        return line if line.endswith(b"\n") else line + b"\n"

    def _default(self, record: Record) -> str:
        """Keys and order as upstream's default template, every string escaped for JSON."""
        root = Root(record, self.revision)
        header = root.request.header().items
        agent, referer = header.get("User-Agent"), header.get("Referer")
        return (
            f'{{"httpRequest": {{"requestMethod": "{json_text(record.method)}", '
            f'"requestUrl": "{json_text(string(record.target))}", "requestSize": "{record.content_length}", '
            f'"status": {record.status}, "responseSize": "{record.response_bytes}", '
            f'"userAgent": "{json_text(agent[0]) if agent else ""}", "remoteIp": "{json_text(record.remote_addr)}", '
            f'"serverIp": "{self._server_ip}", "referer": "{json_text(referer[0]) if referer else ""}", '
            f'"latency": "{shortest(record.latency_s)}s", "protocol": "{json_text(record.proto)}"}}, '
            f'"traceId": "{json_text(trace_id(root))}"}}'
        )


def fallback(record: Record) -> str:
    """What is logged when a template does not fit a record (DP-145)."""
    url = Root(record, NOBODY).request.url().text()
    return (
        f"Invalid request log template: method: {record.method}, response code: {record.status}, "
        f"latency: {shortest(record.latency_s)}, url: {url}"
    )


NOBODY = Revision(name="", namespace="", service="", configuration="", pod_name="", pod_ip="")


class LineWriter:
    """Whole lines to one descriptor, many per system call. Never waits.

    fd        usually 1; may be a pipe, a file, a terminal, or non-blocking.
    dropped   lines that nobody could take, and records that the engine's
              journal could not hold; each new one is told in the log itself.
    """

    __slots__ = ("_bytes", "_left", "_lines", "_poll", "_told", "_write_bytes", "dropped", "fd")

    def __init__(self, fd: int) -> None:
        import select

        self.fd = fd
        self.dropped = 0
        self._told = 0
        self._lines: list[bytes] = []
        self._bytes = 0
        self._left = b""
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        is_file = posix.fstat(fd).st_mode & FILE_KIND_BITS == FILE_KIND_REGULAR
        # A pipe that poll(2) calls writable takes this much at once, also a blocking one.
        self._write_bytes = WRITE_BYTES if is_file else select.PIPE_BUF

    @property
    def waiting_bytes(self) -> int:
        """What has been added and has not left."""
        return self._bytes + len(self._left)

    def add(self, line: bytes) -> None:
        """Takes one line, and writes what has been gathered when it is enough."""
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes >= WRITE_BYTES:
            self.flush()

    def drop(self, count: int) -> None:
        """Counts records that were lost before they came here."""
        self.dropped += count

    def flush(self, timeout_ms: int = 0) -> bool:
        """Writes what the descriptor takes within that time, and says whether that was all.

        A reader that is gone costs the lines.
        """
        if self.dropped != self._told:
            lost, self._told = self.dropped - self._told, self.dropped
            self._lines.append(
                f'{{"severity": "WARNING", "message": "request log: {lost} records were dropped", '
                f'"dropped": {lost}, "droppedInAll": {self.dropped}}}\n'.encode()
            )
        data = self._left + b"".join(self._lines)
        self._lines, self._bytes = [], 0
        at = 0
        while at < len(data) and self._poll.poll(timeout_ms):
            try:
                at += posix.write(self.fd, data[at : self._end_of_write(data, at)])
            except BlockingIOError:
                continue
            except OSError:
                # Telling it would fail as well.
                self.dropped += data.count(b"\n", at)
                self._told = self.dropped
                at = len(data)
        self._left = data[at:]
        return not self._left

    def _end_of_write(self, data: bytes, at: int) -> int:
        """Up to the last line that is whole within one write, else in the middle of a long one."""
        end = at + self._write_bytes
        if end >= len(data):
            return len(data)
        newline = data.rfind(b"\n", at, end)
        return end if newline < 0 else newline + 1


__all__ = [
    "UPSTREAM_DEFAULT",
    "AccessLog",
    "LineWriter",
    "Record",
    "Revision",
    "TemplateError",
    "fallback",
    "json_text",
]
