# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h1_answer: bodies; the story is in h1_answer.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
Takes      what the exchange wants to say.
Gives      bytes in the wire of the connection, framed as this caller can read them.
Never      reads from the connection.
"""

from ext.base.result cimport AGAIN, OK
from ext.base.span cimport span_of
from ext.http.h1_body cimport h1_body_clear
from ext.http.h1_write cimport h1_extra, h1_write_response
from ext.http.head cimport BODY_LENGTH, BODY_NONE, HTTP_1_1, field, head, head_has
from ext.http.names cimport NAME_CONTENT_LENGTH
from ext.loop.timers cimport timer_set
from ext.mux.h1_wire cimport wire_body, wire_flush, wire_is_full, wire_raw, wire_trailers, wire_view
from ext.mux.h1_server cimport (
    SERVER_RAW,
    SERVER_DRAIN,
    SERVER_WAIT,
    h1_server,
    h1_server_close,
    h1_server_linger,
    h1_server_next,
    h1_server_run,
)
from ext.mux.stream cimport stream, stream_ops
from ext.transport.worker cimport corpse, worker_soon


cdef inline h1_server* server_of(stream* s) noexcept nogil:
    return <h1_server*>(<char*>s - sizeof(corpse))


cdef int result_of(h1_server* c, int result) noexcept nogil:
    c.s.queued = c.wire.out.len
    if result < 0:
        return result
    return AGAIN if wire_is_full(&c.wire) else OK


cdef int answer_send_head(stream* s, const head* h, bint last) noexcept nogil:
    """Writes a head with the framing and the Connection field that this connection needs."""
    cdef h1_server* c = server_of(s)
    cdef field extra[3]
    cdef int count = 0
    cdef int result
    if h.status < 200:
        if c.version < HTTP_1_1:
            return OK
        if h.status == 100:
            c.expects = False
        if h.status == 101:
            c.head_sent = True
            c.keep_alive = False
            h1_extra(extra, &count, b"Connection", 10, span_of(b"Upgrade", 7))
            h1_extra(extra, &count, b"Upgrade", 7, h.upgrade)
        result = h1_write_response(&c.wire.out, h, c.version, extra, count)
        worker_soon(c.home, &c.wire.unsent)
        return result_of(c, result)
    if h.status == 204 or h.status == 304:
        c.bodiless = True
    c.wire.chunked = False
    c.wire.length_left = -1
    if c.bodiless:
        pass
    elif h.framing == BODY_LENGTH:
        c.wire.length_left = h.length
    elif last and h.framing == BODY_NONE:
        if not head_has(h, NAME_CONTENT_LENGTH):
            h1_extra(extra, &count, b"Content-Length", 14, span_of(b"0", 1))
    elif c.version >= HTTP_1_1:
        c.wire.chunked = True
        h1_extra(extra, &count, b"Transfer-Encoding", 17, span_of(b"chunked", 7))
    else:
        c.until_close = True
        c.keep_alive = False
    if not h.keep_alive or c.home.draining or (c.expects and not c.request_done):
        c.keep_alive = False
    if not c.keep_alive:
        h1_extra(extra, &count, b"Connection", 10, span_of(b"close", 5))
    elif c.version < HTTP_1_1:
        h1_extra(extra, &count, b"Connection", 10, span_of(b"keep-alive", 10))
    result = h1_write_response(&c.wire.out, h, c.version, extra, count)
    c.head_sent = True
    c.answer_done = last
    worker_soon(c.home, &c.wire.unsent)
    if last and c.wire.chunked and result >= 0:
        result = wire_body(&c.wire, NULL, 0, True)
    return result_of(c, result)


cdef int answer_send_body(stream* s, const char* at, size_t n, bint last) noexcept nogil:
    cdef h1_server* c = server_of(s)
    cdef int result = OK
    if c.state == SERVER_RAW:
        result = wire_raw(&c.wire, at, n, last)
    elif not c.bodiless:
        result = wire_body(&c.wire, at, n, last)
    if last:
        c.answer_done = True
    return result_of(c, result)


cdef int answer_send_trailers(stream* s, const head* h) noexcept nogil:
    """Ends a chunked body with its trailers; any other framing has no place for them."""
    cdef h1_server* c = server_of(s)
    if not c.wire.chunked or c.bodiless:
        return answer_send_body(s, NULL, 0, True)
    c.answer_done = True
    return result_of(c, wire_trailers(&c.wire, h))


cdef int answer_turn_raw(stream* s) noexcept nogil:
    cdef h1_server* c = server_of(s)
    c.state = SERVER_RAW
    c.request_done = False
    c.answer_done = False
    h1_body_clear(&c.body)
    return OK


cdef void answer_want_body(stream* s, bint wanted) noexcept nogil:
    cdef h1_server* c = server_of(s)
    c.wanted = wanted
    if wanted:
        h1_server_run(c)


cdef void answer_flush(stream* s) noexcept nogil:
    """A write that fails is found by the next edge or errand: the caller may be inside an event."""
    cdef h1_server* c = server_of(s)
    if wire_flush(&c.wire) < 0:
        c.wire.t.broken = True
        worker_soon(c.home, &c.wire.resume)
    c.s.queued = c.wire.out.len


cdef void answer_reset(stream* s, int fault) noexcept nogil:
    """Cuts the connection so that the answer is seen to be incomplete.

    An answer that ends with its connection would look whole after a FIN, so
    that one gets a reset.
    """
    cdef h1_server* c = server_of(s)
    c.s.owner = NULL
    if c.state == SERVER_RAW or not c.until_close:
        wire_flush(&c.wire)
    h1_server_close(c, c.until_close)


cdef void answer_release(stream* s) noexcept nogil:
    """The answer is complete; decides what becomes of the connection."""
    cdef h1_server* c = server_of(s)
    cdef char* at
    cdef size_t n
    c.s.owner = NULL
    if c.state == SERVER_RAW:
        if wire_flush(&c.wire) == AGAIN:
            h1_server_linger(c)
        else:
            h1_server_close(c, False)
        return
    if c.keep_alive and c.request_done:
        h1_server_next(c)
    elif c.keep_alive:
        c.state = SERVER_DRAIN
        timer_set(&c.home.wheel, &c.clock, c.home.now_ns + c.home.bounds.linger_timeout_ns)
    elif c.request_done and not c.wire.t.readable and not wire_view(&c.wire, &at, &n) and wire_flush(&c.wire) == OK:
        h1_server_close(c, False)
        return
    else:
        h1_server_linger(c)
    if c.state != SERVER_WAIT or c.wire.kept_len or c.wire.t.readable:
        h1_server_run(c)


cdef stream_ops OPS
OPS.send_head = answer_send_head
OPS.send_body = answer_send_body
OPS.send_trailers = answer_send_trailers
OPS.turn_raw = answer_turn_raw
OPS.want_body = answer_want_body
OPS.flush = answer_flush
OPS.reset = answer_reset
OPS.release = answer_release


cdef const stream_ops* h1_answer_ops() noexcept nogil:
    return &OPS
