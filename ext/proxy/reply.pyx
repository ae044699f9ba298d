# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""reply: bodies; the story is in reply.pxd.

Floor      proxy: may cimport every floor below.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memcpy, memset, strlen

from ext.base.arena cimport arena_take
from ext.base.faults cimport (
    CONNECT_REFUSED,
    CONNECT_TIMED_OUT,
    IDLE_TIMED_OUT,
    METHOD_NOT_ALLOWED,
    NO_REVISION,
    NO_ROUTE,
    REQUEST_TIMED_OUT,
    START_TIMED_OUT,
    WAITING_ROOM_FULL,
    fault_row,
    fault_table,
)
from ext.base.span cimport span, span_of
from ext.http.head cimport BODY_LENGTH, BODY_NONE, HTTP_1_1, field, head, head_path
from ext.http.names cimport name_lookup
from ext.proxy.context cimport DATE_BYTES, proxy_date
from ext.proxy.exchange cimport exchange, exchange_status
from ext.proxy.plan cimport ROLE_ACTIVATOR, ROLE_GATEWAY
from ext.proxy.route cimport route_revision

cdef enum:
    FIELDS_MAX = 10          # of an answer of ours
    TEXT_MAX = 512           # of a line that is made here
    NAME_MAX = 256           # of a name that a caller sent, in such a line


cdef void add(head* h, const char* name, const char* value, size_t n) noexcept nogil:
    cdef field* f = &h.fields[h.field_count]
    f.name = span_of(name, strlen(name))
    f.value = span_of(value, n)
    f.raw_len = 0
    f.flags = 0
    f.id = name_lookup(name, f.name.len)
    h.seen |= (<uint64_t>1) << f.id
    h.field_count += 1


cdef void add_text(head* h, const char* name, const char* value) noexcept nogil:
    add(h, name, value, strlen(value))


cdef void begin(exchange* x, head* h, field* fields, int status) noexcept nogil:
    """A head of ours; its connection may go on unless whoever calls says otherwise."""
    memset(h, 0, sizeof(head))
    h.version = HTTP_1_1
    h.status = status
    h.keep_alive = True
    h.fields = fields
    h.framing = BODY_LENGTH


cdef void send(exchange* x, head* h, const char* text, size_t n) noexcept nogil:
    """Date and length, then the head and the body in one go."""
    cdef char digits[24]
    h.length = <int64_t>n
    add(h, b"Date", proxy_date(x.home), DATE_BYTES)
    add(h, b"Content-Length", digits, <size_t>snprintf(digits, sizeof(digits), "%zu", n))
    x.status = h.status
    x.head_sent = True
    x.response_bytes = <int64_t>n
    if x.down.ops.send_head(x.down, h, n == 0) >= 0 and n:
        x.down.ops.send_body(x.down, text, n, True)


cdef const char* grpc_code(int status) noexcept nogil:
    """As gRPC maps what a proxy answers (http-grpc-status-mapping), 504 as deadline exceeded."""
    if status == 504 or status == 408:
        return b"4"
    if status == 503 or status == 502:
        return b"14"
    if status == 400 or status == 431:
        return b"13"
    if status == 404 or status == 501:
        return b"12"
    return b"2"


cdef const char* speaker(const exchange* x) noexcept nogil:
    """Who we are in Proxy-Status (RFC 9209 2)."""
    if x.role == ROLE_ACTIVATOR:
        return b"activator"
    return b"gateway" if x.role == ROLE_GATEWAY else b"queue-proxy"


cdef size_t body_of(exchange* x, int fault, char* text) noexcept nogil:
    """The body that the platform's clients know for this fault (spec 3)."""
    cdef const char* name = b"upstream"
    cdef span space, revision
    if x.at is not NULL:
        name = x.at.to.name
    if fault == NO_ROUTE and x.role == ROLE_GATEWAY:
        return 0
    if fault == REQUEST_TIMED_OUT or fault == START_TIMED_OUT or fault == IDLE_TIMED_OUT:
        if x.role == ROLE_ACTIVATOR or x.to.marks:
            return <size_t>snprintf(text, TEXT_MAX, "activator request timeout")
        return <size_t>snprintf(text, TEXT_MAX, "request timeout")
    if fault == NO_REVISION:
        route_revision(x, &space, &revision)
        return <size_t>snprintf(
            text, TEXT_MAX, "Error getting active endpoint: revision.serving.knative.dev \"%.*s\" not found\n",
            <int>(revision.len if revision.len < <size_t>NAME_MAX else <size_t>NAME_MAX), revision.at,
        )
    if fault == CONNECT_REFUSED:
        return <size_t>snprintf(text, TEXT_MAX, "dial tcp %s: connect: connection refused\n", name)
    if fault == CONNECT_TIMED_OUT:
        return <size_t>snprintf(
            text, TEXT_MAX, "timed out dialing %s after %.2fs\n", name, <double>(x.home.now_ns - x.sent_ns) / 1e9
        )
    return <size_t>snprintf(text, TEXT_MAX, "%s\n", fault_table[fault].detail)


cdef void reply_fault(exchange* x, int fault) noexcept nogil:
    """The answer to a fault before any head was sent; the status of the fault must not be 0."""
    cdef head h
    cdef field fields[FIELDS_MAX]
    cdef char text[TEXT_MAX]
    cdef char cause[TEXT_MAX]
    cdef const fault_row* row = &fault_table[fault]
    cdef size_t n = body_of(x, fault, text)
    cdef int status = exchange_status(x, fault)
    begin(x, &h, fields, status)
    h.keep_alive = not row.close
    if x.grpc or n:
        add_text(&h, b"Content-Type", b"application/grpc" if x.grpc else b"text/plain; charset=utf-8")
    if n and text[n - 1] == b'\n':
        add_text(&h, b"X-Content-Type-Options", b"nosniff")
    snprintf(cause, TEXT_MAX, "%s; error=%s; details=\"%s\"", speaker(x), row.type, row.detail)
    add_text(&h, b"Proxy-Status", cause)
    if fault == WAITING_ROOM_FULL:
        add_text(&h, b"Retry-After", b"1")
    if fault == METHOD_NOT_ALLOWED:
        add_text(&h, b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE")
    if x.grpc:
        add_text(&h, b"grpc-status", grpc_code(status))
        add_text(&h, b"grpc-message", row.detail)
        n = 0
    send(x, &h, text, n)


cdef void reply_text(exchange* x, int status, const char* text, size_t n, span detail) noexcept nogil:
    """Plain text of ours; a text that ends without a newline is completed by `detail` and one."""
    cdef head h
    cdef field fields[FIELDS_MAX]
    cdef char* whole
    cdef char cause[80]
    begin(x, &h, fields, status)
    add_text(&h, b"Content-Type", b"text/plain; charset=utf-8")
    add_text(&h, b"X-Content-Type-Options", b"nosniff")
    snprintf(cause, sizeof(cause), "%s; error=http_request_denied; details=\"probe refused\"", speaker(x))
    if status >= 400:
        add_text(&h, b"Proxy-Status", cause)
    if text[n - 1] != b'\n':
        whole = <char*>arena_take(x.mem, n + detail.len + 1)
        if whole is not NULL:
            memcpy(whole, text, n)
            if detail.len:
                memcpy(whole + n, detail.at, detail.len)
            whole[n + detail.len] = b'\n'
            text = whole
            n += detail.len + 1
    send(x, &h, text, n)


cdef void reply_bare(exchange* x, int status, const char* text, size_t n) noexcept nogil:
    """A probe's answer that is taken byte by byte: nothing is added."""
    cdef head h
    cdef field fields[FIELDS_MAX]
    begin(x, &h, fields, status)
    if n:
        add_text(&h, b"Content-Type", b"text/plain; charset=utf-8")
    send(x, &h, text, n)


cdef void reply_redirect(exchange* x) noexcept nogil:
    """To the same place by https; port 80 is cut, any other stays (NW spec 1.12)."""
    cdef head h
    cdef field fields[FIELDS_MAX]
    cdef span host = x.request.authority
    cdef span path = head_path(x.request)
    cdef char* made = <char*>arena_take(x.mem, host.len + path.len + 9)
    cdef char* to = made
    begin(x, &h, fields, 301)
    if host.len > 3 and memcmp(host.at + host.len - 3, b":80", 3) == 0:
        host.len -= 3
    if made is not NULL:
        memcpy(to, b"https://", 8)
        memcpy(to + 8, host.at, host.len)
        to += 8 + host.len
        if path.len == 0 or path.at[0] != c'/':
            to[0] = c'/'
            to += 1
        if path.len:
            memcpy(to, path.at, path.len)
        add(&h, b"Location", made, <size_t>(to - made) + path.len)
    send(x, &h, NULL, 0)


cdef void reply_with_hash(exchange* x, span hash_value) noexcept nogil:
    """The ingress asks whether its newest configuration has arrived (DP-031)."""
    cdef head h
    cdef field fields[FIELDS_MAX]
    begin(x, &h, fields, 200)
    add(&h, b"K-Network-Hash", hash_value.at, hash_value.len)
    send(x, &h, NULL, 0)


cdef bint reply_cut(exchange* x, int fault) noexcept nogil:
    """A gRPC call that ran out of time hears it in its trailers; False for all else, which is cut off."""
    cdef head h
    cdef field fields[FIELDS_MAX]
    if not x.grpc or x.raw or fault_table[fault].status != 504:
        return False
    begin(x, &h, fields, 0)
    h.framing = BODY_NONE
    add_text(&h, b"grpc-status", b"4")
    add_text(&h, b"grpc-message", fault_table[fault].detail)
    return x.down.ops.send_trailers(x.down, &h) >= 0


cdef void reply_continue(exchange* x) noexcept nogil:
    """100 (Continue), in the app's place."""
    cdef head h
    cdef field fields[FIELDS_MAX]
    begin(x, &h, fields, 100)
    h.framing = BODY_NONE
    x.down.ops.send_head(x.down, &h, False)
