# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h2_session: bodies; the story is in h2_session.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
Takes      a transport that speaks HTTP/2.
Gives      a session whose streams its side has filled in.
Never      knows what a request means; touches a session after it is closed.
"""

from libc.stdint cimport uint64_t

from ext.base.chain cimport chain_clear, chain_init
from ext.base.faults cimport (
    CALLER_GONE,
    CALLER_H2_ERROR,
    CALLER_H2_FLOOD,
    CALLER_IDLE,
    CLOSED_BEFORE_HEAD,
    CONNECT_TIMED_OUT,
    HEAD_TIMED_OUT,
    NO_MEMORY,
    STOPPING,
    UPSTREAM_H2_ERROR,
)
from ext.base.links cimport links, links_empty, links_init, links_remove
from ext.base.result cimport AGAIN, OK
from ext.loop.timers cimport timer, timer_drop, timer_init, timer_set
from ext.mux.h2_callbacks cimport h2_session_make
from ext.mux.h2_guard cimport NO_CAUSE, h2_guard_init
from ext.mux.h2_output cimport h2_output_frame, h2_output_write
from ext.mux.h2_stream cimport h2_stream_lost
from ext.mux.stream cimport stream
from ext.mux.nghttp2 cimport (
    NGHTTP2_ENHANCE_YOUR_CALM,
    NGHTTP2_ERR_FLOODED,
    NGHTTP2_ERR_NOMEM,
    NGHTTP2_ERR_TOO_MANY_CONTINUATIONS,
    NGHTTP2_NO_ERROR,
    nghttp2_session_mem_recv,
    nghttp2_session_terminate_session,
    nghttp2_session_want_read,
    nghttp2_session_want_write,
    nghttp2_submit_shutdown_notice,
)
from ext.stats.shard cimport BOUND_H2_CONTINUATION, BOUND_H2_PINGS, BOUND_HEAD_TIME, BOUND_IDLE_TIME, shard_bound
from ext.transport.tcp cimport tcp_connect_result
from ext.transport.transport cimport IO_AGAIN, IO_EOF, transport
from ext.transport.worker cimport (
    SCRATCH_BYTES,
    corpse,
    errand,
    errand_init,
    worker,
    worker_inter,
    worker_next,
    worker_soon,
)

cdef enum:
    READS_MAX = 16   # in a row for one connection, 2 MiB, before the others have their turn

cdef enum clock_reason:
    CLOCK_NONE
    CLOCK_CONNECT
    CLOCK_HEAD
    CLOCK_IDLE
    CLOCK_LINGER


cdef int h2_session_open(h2_session* s, worker* w, transport* t, bint is_server) noexcept nogil:
    """Sets up what both sides share, our SETTINGS submitted; the caller has set `grave`, `side` and `owner`.

    The transport is the session's only when it returns OK.
    """
    s.home = w
    s.t = t
    s.is_server = is_server
    s.last_id = -1
    links_init(&s.all)
    links_init(&s.streams)
    links_init(&s.grave.link)
    errand_init(&s.outbox, on_outbox, s)
    errand_init(&s.resume, on_resume, s)
    timer_init(&s.clock, on_clock, s)
    chain_init(&s.out, &w.blocks)
    h2_guard_init(&s.guard)
    if h2_session_make(s) < 0:
        return -NO_MEMORY
    t.owner = s
    t.on_ready = on_edge
    worker_soon(w, &s.outbox)
    h2_session_clock(s)
    return OK


# ── edges, errands and clocks ─────────────────────────────────────────────

cdef void on_edge(transport* t) noexcept nogil:
    cdef h2_session* s = <h2_session*>t.owner
    if t.connecting and not connected(s):
        return
    if t.writable and (s.out.len or nghttp2_session_want_write(s.ng)):
        worker_soon(s.home, &s.outbox)
    h2_session_read(s)


cdef bint connected(h2_session* s) noexcept nogil:
    """The answer to connect(2)."""
    cdef int fault = tcp_connect_result(s.t)
    cdef links* l
    if fault:
        h2_session_end(s, fault)
        return False
    s.t.broken = False
    l = s.streams.next
    while l is not &s.streams:
        stream_of_link(l).base.connected = True
        l = l.next
    h2_session_clock(s)
    return True


cdef inline h2_stream* stream_of_link(links* l) noexcept nogil:
    return <h2_stream*>(<char*>l - sizeof(stream) - sizeof(corpse))


cdef void on_outbox(errand* e) noexcept nogil:
    h2_session_flush(<h2_session*>e.owner)


cdef void on_resume(errand* e) noexcept nogil:
    cdef h2_session* s = <h2_session*>e.owner
    h2_session_read(s)
    if s.write_fault and not s.closed:
        h2_session_end(s, s.write_fault)


cdef void h2_session_clock(h2_session* s) noexcept nogil:
    """What the session waits for decides how long it may."""
    cdef int reason = CLOCK_NONE
    cdef uint64_t after = 0
    if s.ending:
        reason = CLOCK_LINGER
        after = s.home.bounds.linger_timeout_ns
    elif s.t.connecting:
        reason = CLOCK_CONNECT
        after = s.home.bounds.connect_timeout_ns
    elif s.is_server and (s.in_block or not s.served):
        reason = CLOCK_HEAD
        after = s.home.bounds.head_timeout_ns
    elif s.is_server and s.stream_count == 0:
        reason = CLOCK_IDLE
        after = s.home.bounds.idle_timeout_ns
    if reason == s.clock_state:
        return
    s.clock_state = reason
    timer_drop(&s.clock)
    if after:
        timer_set(&s.home.wheel, &s.clock, s.home.now_ns + after)


cdef void on_clock(timer* clock, uint64_t now_ns) noexcept nogil:
    cdef h2_session* s = <h2_session*>clock.owner
    if s.clock_state == CLOCK_CONNECT:
        h2_session_end(s, CONNECT_TIMED_OUT)
    elif s.clock_state == CLOCK_LINGER:
        h2_session_end(s, CALLER_IDLE)
    else:
        shard_bound(s.home.stats, BOUND_HEAD_TIME if s.clock_state == CLOCK_HEAD else BOUND_IDLE_TIME)
        nghttp2_session_terminate_session(s.ng, NGHTTP2_NO_ERROR)
        h2_session_finish(s, HEAD_TIMED_OUT if s.clock_state == CLOCK_HEAD else CALLER_IDLE)


# ── reading ───────────────────────────────────────────────────────────────

cdef void h2_session_read(h2_session* s) noexcept nogil:
    """Takes what has come; harmless at any time."""
    cdef worker* w = s.home
    cdef int reads = 0
    cdef ssize_t got
    if s.closed or s.busy or s.t.connecting:
        return
    if w.reading:
        worker_soon(w, &s.resume)
        return
    w.reading = True
    while s.t.readable and not s.closed:
        got = s.t.ops.read(s.t, w.scratch, SCRATCH_BYTES)
        if got == IO_AGAIN:
            break
        if got <= 0:
            h2_session_end(s, (CALLER_GONE if s.is_server else CLOSED_BEFORE_HEAD) if got == IO_EOF else <int>-got)
            break
        h2_session_feed(s, w.scratch, <size_t>got)
        reads += 1
        if reads == READS_MAX:
            worker_next(w, &s.resume)
            break
    w.reading = False


cdef void h2_session_feed(h2_session* s, const char* at, size_t n) noexcept nogil:
    """Bytes of the peer, in order; what comes after the end is dropped."""
    cdef ssize_t used
    cdef int h2_error = CALLER_H2_ERROR if s.is_server else UPSTREAM_H2_ERROR
    if s.ending or s.closed:
        return
    s.busy = True
    used = nghttp2_session_mem_recv(s.ng, <const unsigned char*>at, n)
    s.busy = False
    worker_soon(s.home, &s.outbox)
    if s.guard.cause == NO_CAUSE and used == NGHTTP2_ERR_FLOODED:
        s.guard.cause = BOUND_H2_PINGS
    elif s.guard.cause == NO_CAUSE and used == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
        s.guard.cause = BOUND_H2_CONTINUATION
    if s.guard.cause != NO_CAUSE:
        calm_down(s)
    elif used < 0:
        h2_session_finish(s, NO_MEMORY if used == NGHTTP2_ERR_NOMEM else h2_error)
    else:
        h2_session_clock(s)


cdef void calm_down(h2_session* s) noexcept nogil:
    """The peer has hit a bound of h2_guard."""
    if s.ending:
        return
    shard_bound(s.home.stats, s.guard.cause)
    nghttp2_session_terminate_session(s.ng, NGHTTP2_ENHANCE_YOUR_CALM)
    h2_session_finish(s, CALLER_H2_FLOOD if s.is_server else UPSTREAM_H2_ERROR)


# ── writing and the end ───────────────────────────────────────────────────

cdef void h2_session_flush(h2_session* s) noexcept nogil:
    """Frames and writes what waits; ends when both directions are done."""
    cdef int result = AGAIN
    if s.closed or s.busy or s.write_fault:
        return
    links_remove(&s.outbox.link)
    while True:
        result = h2_output_frame(s)
        if result < 0:
            h2_session_end(s, -result)
            return
        if s.guard.cause != NO_CAUSE:
            calm_down(s)
        if s.out.len == 0:
            break
        result = h2_output_write(s)
        if result < 0:
            # An answer may have come before the line broke.
            s.write_fault = -result
            s.t.readable = True
            worker_soon(s.home, &s.resume)
            return
        if result == AGAIN:
            return
    if nghttp2_session_want_write(s.ng) or s.lingering:
        return
    if s.ending:
        linger(s)
    elif not nghttp2_session_want_read(s.ng):
        h2_session_finish(s, s.fault)


cdef void linger(h2_session* s) noexcept nogil:
    """FIN, then reading on for a while: a reset could destroy the GOAWAY."""
    s.lingering = True
    if s.t.peer_closed or s.t.broken:
        h2_session_end(s, s.fault)
        return
    s.t.ops.shut(s.t)


cdef void fault_streams(h2_session* s, int fault) noexcept nogil:
    while not links_empty(&s.streams):
        h2_stream_lost(stream_of_link(s.streams.next), fault)


cdef void h2_session_finish(h2_session* s, int fault) noexcept nogil:
    """Nothing more is read; what waits is written, then the connection ends. fault 0: in peace."""
    if s.closed or s.ending:
        return
    s.ending = True
    s.fault = fault if fault else (CALLER_GONE if s.is_server else CLOSED_BEFORE_HEAD)
    h2_session_clock(s)
    s.side.on_count(s)
    fault_streams(s, s.fault)
    worker_soon(s.home, &s.outbox)


cdef void h2_session_end(h2_session* s, int fault) noexcept nogil:
    """Closes at once. The streams' owners hear of it; nghttp2 is freed at the end of the turn."""
    if s.closed:
        return
    s.closed = True
    timer_drop(&s.clock)
    links_remove(&s.outbox.link)
    links_remove(&s.resume.link)
    links_remove(&s.all)
    s.t.ops.close(s.t, False)
    fault_streams(s, fault)
    chain_clear(&s.out)
    worker_inter(s.home, &s.grave)
    s.side.on_end(s)


cdef void h2_session_drain(h2_session* s) noexcept nogil:
    """Announces the end; streams that are open or on their way are served."""
    if s.draining or s.ending or s.closed:
        return
    s.draining = True
    nghttp2_submit_shutdown_notice(s.ng)
    worker_soon(s.home, &s.outbox)


cdef void h2_session_stop(h2_session* s) noexcept nogil:
    """Tells the owners of all streams that the worker stops, writes what they say to that, and closes."""
    cdef links* l = s.streams.next
    cdef h2_stream* st
    while l is not &s.streams:
        st = stream_of_link(l)
        l = l.next
        if st.base.owner is not NULL:
            st.base.events.on_fault(st.base.owner, STOPPING)
    nghttp2_session_terminate_session(s.ng, NGHTTP2_NO_ERROR)
    h2_session_flush(s)
    h2_session_end(s, STOPPING)
