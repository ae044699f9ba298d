# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h1_client: bodies; the story is in h1_client.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
Takes      a transport that is connected or about to be.
Gives      client streams of stream.pxd.
Never      retries, nor chooses where to connect.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

from ext.base.clock cimport NS_PER_S
from ext.base.debug cimport LIVE_CONN, LIVE_DOWN, LIVE_UP
from ext.base.faults cimport (
    CLOSED_BEFORE_HEAD,
    CLOSED_IN_BODY,
    CLOSED_IN_HEAD,
    CLOSED_UNREAD,
    NO_MEMORY,
    RESET_BEFORE_HEAD,
    RESET_IN_BODY,
    RESPONSE_HEAD_TOO_LARGE,
)
from ext.base.links cimport links_init
from ext.base.result cimport AGAIN, DONE, OK
from ext.base.slab cimport slab_give, slab_take
from ext.base.span cimport span, span_next, span_number, span_of, span_starts
from ext.http.h1_body cimport (
    h1_body_clear,
    h1_body_finished_by_close,
    h1_body_init,
    h1_body_next,
)
from ext.http.h1_parse cimport h1_head_ended, h1_parse_response
from ext.http.h1_write cimport h1_extra, h1_write_request
from ext.http.head cimport BODY_CHUNKED, BODY_LENGTH, BODY_NONE, HTTP_1_1, METHOD_HEAD, field, head, head_find
from ext.http.names cimport NAME_KEEP_ALIVE
from ext.mux.client cimport client, client_ops
from ext.mux.context cimport mux_context, mux_of
from ext.mux.h1_wire cimport (
    READS_MAX,
    wire_body,
    wire_clear,
    wire_count_mended,
    wire_fill,
    wire_flush,
    wire_init,
    wire_is_full,
    wire_leave,
    wire_next,
    wire_raw,
    wire_show_end,
    wire_spend,
    wire_trailers,
    wire_view,
    wire_waits,
)
from ext.mux.stream cimport stream, stream_ops
from ext.transport.tcp cimport tcp_connect_result, tcp_is_unread
from ext.transport.transport cimport IO_AGAIN, IO_EOF, transport
from ext.transport.worker cimport corpse, errand, errand_init, worker, worker_inter, worker_next, worker_soon


cdef client* h1_client_open(worker* w, transport* t) noexcept nogil:
    """Takes the transport over; NULL, and the transport closed, without memory."""
    cdef h1_client* c = <h1_client*>slab_take(&mux_of(w).clients)
    if c is NULL:
        t.ops.close(t, True)
        return NULL
    LIVE_UP(LIVE_CONN)
    memset(c, 0, sizeof(h1_client))
    links_init(&c.c.pool_link)
    links_init(&c.grave.link)
    c.grave.bury = client_bury
    c.c.ops = &CLIENT
    c.c.t = t
    c.c.home = w
    c.c.capacity = 1
    c.c.usable = True
    wire_init(&c.wire, t)
    errand_init(&c.wire.unsent, on_unsent, c)
    errand_init(&c.wire.resume, on_resume, c)
    c.state = CLIENT_CONNECT if t.connecting else CLIENT_IDLE
    t.owner = c
    t.on_ready = on_edge
    t.w.eager = True
    return &c.c


cdef void client_bury(corpse* grave) noexcept nogil:
    cdef h1_client* c = <h1_client*>(<char*>grave - sizeof(client) - sizeof(stream))
    LIVE_DOWN(LIVE_CONN)
    slab_give(&mux_of(c.c.home).clients, c)


cdef void client_end(h1_client* c) noexcept nogil:
    """Closes and tells the pool; an exchange that is open must have let go or got its fault."""
    if c.state == CLIENT_CLOSED:
        return
    c.state = CLIENT_CLOSED
    c.c.usable = False
    c.c.closed = True
    c.c.running = 0
    wire_clear(&c.wire)
    h1_body_clear(&c.body)
    c.wire.t.ops.close(c.wire.t, False)
    worker_inter(c.c.home, &c.grave)
    if c.c.on_change is not NULL:
        c.c.on_change(&c.c)


cdef void client_close(client* base) noexcept nogil:
    cdef h1_client* c = <h1_client*>base
    if c.s.owner is not NULL:
        stream_fault(c, CLOSED_IN_BODY if c.head_seen else CLOSED_BEFORE_HEAD)
    else:
        client_end(c)


cdef void stream_fault(h1_client* c, int fault) noexcept nogil:
    """The exchange hears of it and lets go, which closes the connection."""
    c.keep_alive = False
    if c.s.owner is not NULL:
        c.s.events.on_fault(c.s.owner, fault)
    else:
        client_end(c)


# ── edges ─────────────────────────────────────────────────────────────────

cdef void on_edge(transport* t) noexcept nogil:
    cdef h1_client* c = <h1_client*>t.owner
    cdef int fault
    if t.connecting:
        fault = tcp_connect_result(t)
        if fault:
            c.s.connected = False
            stream_fault(c, fault)
            return
        t.broken = False
        c.s.connected = True
        if c.state == CLIENT_CONNECT:
            c.state = CLIENT_BUSY if c.s.owner is not NULL else CLIENT_IDLE
    if t.writable and (c.wire.out.len or c.wire.shut_after):
        flush_now(c)
        if c.state == CLIENT_CLOSED:
            return
    h1_client_run(c)


cdef void on_unsent(errand* e) noexcept nogil:
    flush_now(<h1_client*>e.owner)


cdef void on_resume(errand* e) noexcept nogil:
    h1_client_run(<h1_client*>e.owner)


cdef void flush_now(h1_client* c) noexcept nogil:
    """Writes what waits; a write that fails leaves the reading on, as the answer may be there."""
    cdef int result = OK
    if not c.write_failed:
        result = wire_flush(&c.wire)
    if result < 0:
        write_lost(c)
        return
    c.s.queued = c.wire.out.len
    if result == OK and c.s.owner is not NULL:
        c.s.events.on_room(c.s.owner)


cdef void write_lost(h1_client* c) noexcept nogil:
    c.write_failed = True
    c.keep_alive = False
    c.wire.t.readable = True
    c.s.queued = 0
    worker_soon(c.c.home, &c.wire.resume)


# ── reading ───────────────────────────────────────────────────────────────

cdef void h1_client_run(h1_client* c) noexcept nogil:
    """Goes on as far as bytes and the owner allow; harmless at any time."""
    cdef int reads = 0
    cdef int result
    if c.running or c.state == CLIENT_CLOSED or c.state == CLIENT_CONNECT:
        return
    if c.c.home.reading:
        worker_soon(c.c.home, &c.wire.resume)
        return
    c.running = True
    c.c.home.reading = True
    while True:
        if c.state == CLIENT_IDLE:
            if c.wire.t.readable or c.wire.t.peer_closed or c.wire.t.broken:
                client_end(c)   # bytes or an end that nobody asked for
            break
        if c.state == CLIENT_BUSY and not c.head_seen:
            result = read_head(c)
        elif c.state == CLIENT_BUSY and not c.answer_done and c.wanted:
            result = read_body(c)
        elif c.state == CLIENT_RAW and c.wanted and not c.answer_done:
            result = read_raw(c)
        else:
            break
        reads += 1
        if result == AGAIN or c.state == CLIENT_CLOSED:
            break
        if reads == READS_MAX:
            worker_next(c.c.home, &c.wire.resume)
            break
    c.running = False
    c.c.home.reading = False


cdef int lost(h1_client* c, ssize_t got) noexcept nogil:
    """The connection ended before the answer did."""
    cdef int fault
    if got == -NO_MEMORY:
        fault = NO_MEMORY
    elif c.head_seen:
        fault = CLOSED_IN_BODY if got == IO_EOF else RESET_IN_BODY
    elif c.answering:
        fault = CLOSED_IN_HEAD
    elif got != IO_EOF:
        fault = RESET_BEFORE_HEAD
    elif tcp_is_unread(c.wire.t, c.sent_before):
        fault = CLOSED_UNREAD
    else:
        fault = CLOSED_BEFORE_HEAD
    stream_fault(c, fault)
    return AGAIN


cdef int read_head(h1_client* c) noexcept nogil:
    """One head of the answer, interim or final."""
    cdef mux_context* m = mux_of(c.c.home)
    cdef char* at
    cdef size_t n, used
    cdef ssize_t got
    cdef head h
    cdef int result
    cdef bint fresh = c.wire.scanned == 0 and wire_view(&c.wire, &at, &n)
    if not fresh:
        if not c.wire.t.readable:
            return AGAIN
        got = wire_fill(&c.wire, &at, &n)
        if got == IO_AGAIN:
            return AGAIN
        if got <= 0:
            return lost(c, got)
        c.answering = True
        if c.wire.scanned and not h1_head_ended(at, n, &c.wire.scanned) and n < m.response_limits.head_max:
            return OK if c.wire.t.readable else AGAIN
    result = h1_parse_response(at, n, &m.response_limits, c.to_head, m.fields, &h, &used)
    if result == AGAIN and n >= m.response_limits.head_max:
        result = -RESPONSE_HEAD_TOO_LARGE
    if result == AGAIN:
        if wire_leave(&c.wire, at, n) < 0:
            stream_fault(c, NO_MEMORY)
        elif c.wire.scanned == 0:
            h1_head_ended(at, n, &c.wire.scanned)
            c.wire.scanned = c.wire.scanned if c.wire.scanned else 1
        return OK if c.wire.t.readable else AGAIN
    c.wire.scanned = 0
    if result < 0:
        stream_fault(c, -result)
        return AGAIN
    return show_head(c, &h, at + used, n - used)


cdef int show_head(h1_client* c, head* h, char* rest, size_t n) noexcept nogil:
    """Tells the exchange, and goes on with the bytes behind the head.

    `rest` must survive the event: a head that was kept is shown before its
    bytes are given up, so the rest is left only afterwards.
    """
    cdef bint interim = h.status < 200 and h.status != 101
    cdef bint last = False
    wire_count_mended(&c.wire, h.mended)
    if not interim:
        c.head_seen = True
        if h.status == 101:
            c.keep_alive = False
        else:
            c.keep_alive = c.keep_alive and h.keep_alive
            note_keep_alive(c, h)
            h1_body_init(&c.body, h.framing, h.length, &mux_of(c.c.home).response_limits, False)
            last = h.framing == BODY_NONE or (h.framing == BODY_LENGTH and h.length == 0)
            c.answer_done = last
            if last and n:
                c.keep_alive = False
    c.s.events.on_head(c.s.owner, h, last)
    if c.state == CLIENT_CLOSED:
        return AGAIN
    if c.state == CLIENT_IDLE:
        wire_leave(&c.wire, NULL, 0)
        return AGAIN
    if c.state == CLIENT_BUSY and not interim and not last and c.wanted and n:
        return feed(c, rest, n)
    if wire_leave(&c.wire, rest, n) < 0:
        stream_fault(c, NO_MEMORY)
        return AGAIN
    return OK


cdef void note_keep_alive(h1_client* c, const head* h) noexcept nogil:
    """`Keep-Alive: timeout=N` says how long the peer keeps an idle connection."""
    cdef const field* f = head_find(h, NAME_KEEP_ALIVE)
    cdef span rest, item
    cdef int64_t seconds
    if f is NULL:
        return
    rest = f.value
    while span_next(&rest, &item):
        if span_starts(item, b"timeout=", 8):
            seconds = span_number(span_of(item.at + 8, item.len - 8))
            if 0 <= seconds < 86400:
                c.c.keep_alive_ns = seconds * NS_PER_S if seconds else 1


cdef int read_body(h1_client* c) noexcept nogil:
    cdef char* at
    cdef size_t n
    cdef ssize_t got
    if wire_waits(&c.wire):
        return AGAIN
    got = wire_next(&c.wire, &at, &n)
    if got == IO_AGAIN:
        return AGAIN
    if got == IO_EOF and h1_body_finished_by_close(&c.body):
        c.answer_done = True
        c.keep_alive = False
        c.s.events.on_body(c.s.owner, NULL, 0, True)
        return AGAIN
    if got <= 0:
        return lost(c, got)
    return feed(c, at, n)


cdef int feed(h1_client* c, char* at, size_t n) noexcept nogil:
    """Shows the body in these bytes, piece by piece, as long as it is wanted."""
    cdef span data
    cdef int result
    while n and c.wanted and c.state == CLIENT_BUSY and c.s.owner is not NULL:
        result = h1_body_next(&c.body, &at, &n, &data)
        if result < 0:
            stream_fault(c, -result)
            return AGAIN
        if result == DONE:
            if n:
                c.keep_alive = False   # bytes that nobody asked for: what they mean is anybody's guess
            wire_spend(&c.wire)
            result = wire_show_end(&c.wire, &c.body, &c.s, data, &c.answer_done)
            if result < 0:
                stream_fault(c, -result)
            elif c.state != CLIENT_CLOSED:
                wire_leave(&c.wire, NULL, 0)
            return AGAIN
        if data.len:
            c.s.events.on_body(c.s.owner, data.at, data.len, False)
        elif result == AGAIN:
            break
    if c.state == CLIENT_BUSY and c.s.owner is not NULL and wire_leave(&c.wire, at, n) < 0:
        stream_fault(c, NO_MEMORY)
        return AGAIN
    return OK


cdef int read_raw(h1_client* c) noexcept nogil:
    cdef char* at
    cdef size_t n
    cdef ssize_t got
    if wire_waits(&c.wire):
        return AGAIN
    got = wire_next(&c.wire, &at, &n)
    if got == IO_AGAIN:
        return AGAIN
    if got == IO_EOF:
        c.answer_done = True
        c.s.events.on_body(c.s.owner, NULL, 0, True)
        return AGAIN
    if got < 0:
        return lost(c, got)
    c.s.events.on_body(c.s.owner, at, n, False)
    if c.state != CLIENT_CLOSED:
        wire_leave(&c.wire, NULL, 0)
    return OK


# ── the stream's side: what the exchange asks ─────────────────────────────

cdef inline h1_client* client_of(stream* s) noexcept nogil:
    return <h1_client*>(<char*>s - sizeof(client))


cdef stream* client_open_stream(client* base) noexcept nogil:
    cdef h1_client* c = <h1_client*>base
    if base.running or not base.usable or c.state == CLIENT_CLOSED:
        return NULL
    memset(&c.s, 0, sizeof(stream))
    c.s.ops = &STREAM
    c.s.home = base.home
    c.s.via = base.t
    c.s.version = HTTP_1_1
    c.s.reused = base.used
    c.s.connected = c.state != CLIENT_CONNECT
    base.used = True
    base.running = 1
    base.idle_since_ns = 0
    if c.state == CLIENT_IDLE:
        c.state = CLIENT_BUSY
    c.request_done = False
    c.answer_done = False
    c.answering = False
    c.head_seen = False
    c.wanted = False
    c.keep_alive = True
    c.sent_before = base.t.sent_bytes
    return &c.s


cdef int result_of(h1_client* c, int result) noexcept nogil:
    if result < 0:
        if result == -NO_MEMORY:
            return result
        write_lost(c)
        return OK
    c.s.queued = c.wire.out.len
    return AGAIN if wire_is_full(&c.wire) else OK


cdef int stream_send_head(stream* s, const head* h, bint last) noexcept nogil:
    """Writes a request head with the framing that this connection needs."""
    cdef h1_client* c = client_of(s)
    cdef field extra[4]
    cdef int count = 0
    h1_extra(extra, &count, b"Host", 4, h.authority)
    c.to_head = h.method == METHOD_HEAD
    c.wire.chunked = False
    c.wire.length_left = -1
    if h.framing == BODY_LENGTH:
        c.wire.length_left = h.length
    elif h.framing == BODY_CHUNKED and not last:
        c.wire.chunked = True
        h1_extra(extra, &count, b"Transfer-Encoding", 17, span_of(b"chunked", 7))
    if h.wants_upgrade:
        h1_extra(extra, &count, b"Connection", 10, span_of(b"Upgrade", 7))
        h1_extra(extra, &count, b"Upgrade", 7, h.upgrade)
    c.request_done = last
    worker_soon(c.c.home, &c.wire.unsent)
    return result_of(c, h1_write_request(&c.wire.out, h, extra, count))


cdef int stream_send_body(stream* s, const char* at, size_t n, bint last) noexcept nogil:
    cdef h1_client* c = client_of(s)
    if last:
        c.request_done = c.state != CLIENT_RAW
    if c.write_failed:
        return OK
    if c.state == CLIENT_RAW:
        return result_of(c, wire_raw(&c.wire, at, n, last))
    return result_of(c, wire_body(&c.wire, at, n, last))


cdef int stream_send_trailers(stream* s, const head* h) noexcept nogil:
    """Ends a chunked body with its trailers; any other framing has no place for them."""
    cdef h1_client* c = client_of(s)
    if not c.wire.chunked or c.write_failed:
        return stream_send_body(s, NULL, 0, True)
    c.request_done = True
    return result_of(c, wire_trailers(&c.wire, h))


cdef int stream_turn_raw(stream* s) noexcept nogil:
    cdef h1_client* c = client_of(s)
    c.state = CLIENT_RAW
    c.answer_done = False
    c.keep_alive = False
    c.wire.chunked = False
    c.wire.length_left = -1
    return OK


cdef void stream_want_body(stream* s, bint wanted) noexcept nogil:
    cdef h1_client* c = client_of(s)
    c.wanted = wanted
    if wanted:
        h1_client_run(c)


cdef void stream_flush(stream* s) noexcept nogil:
    cdef h1_client* c = client_of(s)
    if not c.write_failed and wire_flush(&c.wire) < 0:
        write_lost(c)
    c.s.queued = 0 if c.write_failed else c.wire.out.len


cdef void stream_reset(stream* s, int fault) noexcept nogil:
    """The app must see an incomplete request, so the connection ends here."""
    cdef h1_client* c = client_of(s)
    c.s.owner = NULL
    client_end(c)


cdef void stream_release(stream* s) noexcept nogil:
    """The answer is complete; the connection serves again if both messages ended and both sides allow it."""
    cdef h1_client* c = client_of(s)
    c.s.owner = NULL
    if not c.keep_alive or not c.request_done or not c.answer_done or c.write_failed or c.wire.out.len or (
        c.wire.t.peer_closed or c.wire.t.broken
    ):
        if c.state == CLIENT_RAW:
            wire_flush(&c.wire)
        client_end(c)
        return
    h1_body_clear(&c.body)
    c.state = CLIENT_IDLE
    c.c.running = 0
    c.c.idle_since_ns = c.c.home.now_ns
    if c.c.on_change is not NULL:
        c.c.on_change(&c.c)


cdef stream_ops STREAM
STREAM.send_head = stream_send_head
STREAM.send_body = stream_send_body
STREAM.send_trailers = stream_send_trailers
STREAM.turn_raw = stream_turn_raw
STREAM.want_body = stream_want_body
STREAM.flush = stream_flush
STREAM.reset = stream_reset
STREAM.release = stream_release

cdef client_ops CLIENT
CLIENT.open = client_open_stream
CLIENT.close = client_close
