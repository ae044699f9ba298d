# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h2_stream: bodies; the story is in h2_stream.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
Takes      what the callbacks of h2_session bring, what the owner asks.
Gives      events of stream.pxd; submissions to nghttp2.
Never      enters nghttp2_session_mem_send while nghttp2 is on the stack.
"""

from libc.stdint cimport uint32_t
from libc.string cimport memset

from ext.base.arena cimport arena_free, arena_new
from ext.base.chain cimport block, block_at, chain_append, chain_clear, chain_drop, chain_init, chain_is_tight
from ext.base.debug cimport LIVE_DOWN, LIVE_STREAM, LIVE_UP
from ext.base.faults cimport CALLER, CALLER_H2_FLOOD, NO_MEMORY, fault_table
from ext.base.links cimport links_append, links_init, links_remove
from ext.base.result cimport AGAIN, OK
from ext.base.slab cimport slab_give, slab_take
from ext.http.head cimport HTTP_2, head
from ext.mux.context cimport mux_of
from ext.mux.h2_guard cimport h2_guard_ended, h2_guard_reset
from ext.mux.h2_head cimport h2_intake_trailers, h2_trailers_keep
from ext.mux.h2_output cimport h2_output_frame, h2_output_wake
from ext.mux.h2_session cimport OUT_MARK, WINDOW_FIRST, h2_session, h2_session_clock, h2_stream
from ext.mux.nghttp2 cimport (
    NGHTTP2_CANCEL,
    NGHTTP2_ENHANCE_YOUR_CALM,
    NGHTTP2_FLAG_NONE,
    NGHTTP2_INTERNAL_ERROR,
    NGHTTP2_NO_ERROR,
    NGHTTP2_PROTOCOL_ERROR,
    nghttp2_session_consume,
    nghttp2_session_consume_connection,
    nghttp2_session_consume_stream,
    nghttp2_session_set_local_window_size,
    nghttp2_session_set_stream_user_data,
    nghttp2_submit_rst_stream,
)
from ext.mux.stream cimport stream, stream_ops
from ext.stats.shard cimport BOUND_BUFFERS, shard_bound
from ext.transport.worker cimport QUEUE_MARK, corpse, errand, errand_init, worker, worker_inter, worker_soon


cdef h2_stream* h2_stream_new(h2_session* s) noexcept nogil:
    """A stream of this session, without an id and an owner; NULL when there is no memory."""
    cdef worker* w = s.home
    cdef h2_stream* st = <h2_stream*>slab_take(&mux_of(w).h2_streams)
    if st is NULL:
        return NULL
    LIVE_UP(LIVE_STREAM)
    memset(st, 0, sizeof(h2_stream))
    st.base.ops = s.side.ops
    st.base.home = w
    st.base.via = s.t
    st.base.version = HTTP_2
    st.base.connected = not s.t.connecting
    links_init(&st.grave.link)
    st.grave.bury = stream_bury
    errand_init(&st.turn, on_turn, st)
    chain_init(&st.queue, &w.blocks)
    chain_init(&st.inbox, &w.blocks)
    st.session = s
    links_init(&st.link)
    links_append(&s.streams, &st.link)
    s.stream_count += 1
    return st


cdef void stream_bury(corpse* grave) noexcept nogil:
    cdef h2_stream* st = <h2_stream*>(<char*>grave - sizeof(stream))
    chain_clear(&st.queue)
    chain_clear(&st.inbox)
    arena_free(st.intake.mem)
    arena_free(st.trailer_mem)
    arena_free(st.base.mem)
    LIVE_DOWN(LIVE_STREAM)
    slab_give(&mux_of(st.base.home).h2_streams, st)


cdef void let_die(h2_stream* st) noexcept nogil:
    """Owner and protocol have both let go."""
    if st.buried:
        return
    st.buried = True
    links_remove(&st.turn.link)
    worker_inter(st.base.home, &st.grave)


cdef void leave_session(h2_stream* st) noexcept nogil:
    """The protocol has done with this stream."""
    cdef h2_session* s = st.session
    links_remove(&st.link)
    s.stream_count -= 1
    st.session = NULL
    st.base.queued = 0
    st.now_len = 0


# ── what comes in ─────────────────────────────────────────────────────────

cdef int store(h2_stream* st, const char* at, size_t n) noexcept nogil:
    """Keeps a piece of body that nobody wants yet."""
    cdef h2_session* s = st.session
    if chain_append(&st.inbox, at, n) < 0:
        return -NO_MEMORY
    if chain_is_tight(&s.home.blocks):
        shard_bound(s.home.stats, BOUND_BUFFERS)
        st.withheld += n
    else:
        nghttp2_session_consume_connection(s.ng, n)
    return OK


cdef void widen(h2_stream* st) noexcept nogil:
    """The body flows: from now on the window is what the settings say."""
    cdef h2_session* s = st.session
    st.widened = True
    if s.home.bounds.h2_window_bytes > WINDOW_FIRST and not chain_is_tight(&s.home.blocks):
        nghttp2_session_set_local_window_size(
            s.ng, NGHTTP2_FLAG_NONE, st.id, <int>s.home.bounds.h2_window_bytes)


cdef int h2_stream_body(h2_stream* st, const char* at, size_t n, bint last) noexcept nogil:
    """A piece of a DATA frame; last: the message ends with it."""
    cdef h2_session* s = st.session
    st.received += <long>n
    st.in_end = last
    if st.base.owner is NULL:
        nghttp2_session_consume(s.ng, st.id, n)
        return OK
    if not st.wanted or st.inbox.len:
        return store(st, at, n)
    if not st.widened and st.received > WINDOW_FIRST // 4 and not last:
        widen(st)
    nghttp2_session_consume(s.ng, st.id, n)
    st.end_shown = last
    st.base.events.on_body(st.base.owner, at, n, last)
    return OK


cdef void h2_stream_in_end(h2_stream* st) noexcept nogil:
    """END_STREAM without a piece of body, perhaps after trailers."""
    if st.in_end:
        return
    st.in_end = True
    if st.wanted:
        show(st)


cdef void h2_stream_trailers(h2_stream* st) noexcept nogil:
    """A trailer section is complete, and with it the message."""
    cdef int result
    if st.base.owner is NULL:
        h2_stream_intake_end(st)
        return
    result = h2_intake_trailers(&st.intake, st.session.is_server)
    if result < 0:
        h2_stream_fail(st, -result, NGHTTP2_PROTOCOL_ERROR)
        return
    st.has_trailers = True
    h2_stream_in_end(st)


cdef void h2_stream_intake_end(h2_stream* st) noexcept nogil:
    """The section has been shown; its memory goes unless it has been handed on."""
    arena_free(st.intake.mem)
    st.intake.mem = NULL


cdef void show(h2_stream* st) noexcept nogil:
    """Shows what is stored, as long as it is wanted, and the end behind it."""
    cdef block* b
    cdef size_t n, back
    cdef bint last
    while st.base.owner is not NULL and st.wanted and st.inbox.len:
        b = st.inbox.head
        n = <size_t>(b.end - b.start)
        last = st.in_end and st.inbox.len == n and not st.has_trailers
        st.end_shown = last
        st.base.events.on_body(st.base.owner, block_at(b), n, last)
        if st.base.owner is NULL:
            return
        chain_drop(&st.inbox, n)
        if st.session is not NULL:
            nghttp2_session_consume_stream(st.session.ng, st.id, n)
            back = n if n < st.withheld else st.withheld
            st.withheld -= back
            nghttp2_session_consume_connection(st.session.ng, back)
            worker_soon(st.base.home, &st.session.outbox)
    if st.base.owner is NULL or not st.wanted or not st.in_end or st.end_shown or st.inbox.len:
        return
    st.end_shown = True
    if st.has_trailers:
        st.base.events.on_trailers(st.base.owner, &st.intake.h)
    else:
        st.base.events.on_body(st.base.owner, NULL, 0, True)


cdef void on_turn(errand* e) noexcept nogil:
    """At the end of the turn: what is stored and wanted, then the room."""
    cdef h2_stream* st = <h2_stream*>e.owner
    show(st)
    if st.room_owed and st.base.owner is not NULL and (st.session is NULL or st.queue.len == 0):
        st.room_owed = False
        st.base.events.on_room(st.base.owner)


# ── the end ───────────────────────────────────────────────────────────────

cdef void h2_stream_closed(h2_stream* st, uint32_t code) noexcept nogil:
    """nghttp2 has closed the stream; it is on the stack."""
    cdef h2_session* s = st.session
    cdef int fault = s.side.fault_of(st, code)
    nghttp2_session_set_stream_user_data(s.ng, st.id, NULL)
    nghttp2_session_consume_connection(s.ng, st.withheld)
    if st.in_end and st.out_end:
        h2_guard_ended(&s.guard)
    elif not st.peer_reset and not st.own_reset:
        h2_guard_reset(&s.guard, s.home.bounds)
    leave_session(st)
    worker_soon(s.home, &s.outbox)
    end_for_owner(st, fault)
    s.side.on_count(s)
    h2_session_clock(s)


cdef void h2_stream_lost(h2_stream* st, int fault) noexcept nogil:
    """The connection has ended."""
    fault = st.session.side.fault_of_end(st, fault)
    leave_session(st)
    end_for_owner(st, fault)


cdef void end_for_owner(h2_stream* st, int fault) noexcept nogil:
    if st.base.owner is NULL:
        let_die(st)
    elif fault:
        st.in_end = False
        st.room_owed = False
        st.base.events.on_fault(st.base.owner, fault)
    elif st.room_owed:
        worker_soon(st.base.home, &st.turn)   # whoever waits for the end of his answer hears of it


cdef void h2_stream_refuse(h2_stream* st, uint32_t code) noexcept nogil:
    """RST_STREAM from our side."""
    st.own_reset = True
    nghttp2_submit_rst_stream(st.session.ng, NGHTTP2_FLAG_NONE, st.id, code)
    worker_soon(st.base.home, &st.session.outbox)


cdef void h2_stream_fail(h2_stream* st, int fault, uint32_t code) noexcept nogil:
    """RST_STREAM, and the owner hears why."""
    h2_stream_refuse(st, code)
    st.in_end = False
    st.room_owed = False
    if st.base.owner is not NULL:
        st.base.events.on_fault(st.base.owner, fault)


cdef uint32_t code_of(bint is_server, int fault) noexcept nogil:
    """What RST_STREAM says about a fault. Never REFUSED_STREAM: the app may have seen the request."""
    if fault == CALLER_H2_FLOOD:
        return NGHTTP2_ENHANCE_YOUR_CALM
    if not is_server:
        return NGHTTP2_CANCEL
    if fault_table[fault].blame == CALLER:
        return NGHTTP2_PROTOCOL_ERROR if fault_table[fault].status else NGHTTP2_CANCEL
    return NGHTTP2_INTERNAL_ERROR


cdef void drop(h2_stream* st, bint broken, uint32_t code) noexcept nogil:
    """The owner has let go; broken: the peer must see an incomplete message."""
    cdef h2_session* s = st.session
    st.base.owner = NULL
    if s is NULL:
        let_die(st)
        return
    if st.id == 0:
        leave_session(st)
        let_die(st)
        s.side.on_count(s)
        h2_session_clock(s)
        return
    nghttp2_session_consume_connection(s.ng, st.withheld)
    st.withheld = 0
    nghttp2_session_consume_stream(s.ng, st.id, st.inbox.len)
    if broken:
        h2_stream_refuse(st, code)
    elif s.is_server and st.out_end and not st.in_end:
        h2_stream_refuse(st, NGHTTP2_NO_ERROR)
    worker_soon(s.home, &s.outbox)


cdef void op_release(stream* base) noexcept nogil:
    """All was said. A request whose answer is complete need not be sent to its end (RFC 9113 8.1)."""
    cdef h2_stream* st = <h2_stream*>base
    cdef bint whole = st.out_last and (st.in_end or (st.session is not NULL and st.session.is_server))
    drop(st, not whole, NGHTTP2_CANCEL)


cdef void op_reset(stream* base, int fault) noexcept nogil:
    cdef h2_stream* st = <h2_stream*>base
    drop(st, True, code_of(st.session is not NULL and st.session.is_server, fault))


# ── what the owner sends ──────────────────────────────────────────────────

cdef int room_of(h2_stream* st) noexcept nogil:
    st.base.queued = st.queue.len
    st.room_owed = st.queue.len > 0
    if st.queue.len > QUEUE_MARK or (st.queue.len and chain_is_tight(&st.base.home.blocks)):
        return AGAIN
    return OK


cdef int op_send_body(stream* base, const char* at, size_t n, bint last) noexcept nogil:
    """Frames at once what fits into the windows; the rest waits in the queue."""
    cdef h2_stream* st = <h2_stream*>base
    cdef h2_session* s = st.session
    if s is NULL or st.out_last:
        return OK
    st.out_last = last
    if st.id == 0 or s.busy or st.queue.len or s.out.len >= OUT_MARK:
        if n and chain_append(&st.queue, at, n) < 0:
            return -NO_MEMORY
        h2_output_wake(st)
        return room_of(st)
    st.now_at = at
    st.now_len = n
    h2_output_wake(st)
    h2_output_frame(s)
    n = st.now_len
    st.now_len = 0
    if n and chain_append(&st.queue, st.now_at, n) < 0:
        return -NO_MEMORY
    return room_of(st)


cdef int op_send_trailers(stream* base, const head* h) noexcept nogil:
    """The end of the body; trailers that must wait for it are copied."""
    cdef h2_stream* st = <h2_stream*>base
    cdef h2_session* s = st.session
    if s is NULL or st.out_last:
        return OK
    st.out_last = True
    if not s.busy and st.id and st.queue.len == 0 and s.out.len < OUT_MARK:
        st.trailers_now = h
        h2_output_wake(st)
        h2_output_frame(s)
        st.trailers_now = NULL
        if st.trailers_sent or st.session is NULL:
            return OK
    st.trailer_mem = arena_new(&st.base.home.arenas)
    if st.trailer_mem is NULL:
        return -NO_MEMORY
    st.trailers_kept = h2_trailers_keep(h, st.trailer_mem)
    if st.trailers_kept is NULL:
        return -NO_MEMORY
    h2_output_wake(st)
    return room_of(st)


cdef int op_turn_raw(stream* base) noexcept nogil:
    """HTTP/2 has no 101 (RFC 9113 8.6): nothing turns raw here."""
    return OK


cdef void op_want_body(stream* base, bint wanted) noexcept nogil:
    """What is stored is shown at the end of the turn."""
    cdef h2_stream* st = <h2_stream*>base
    st.wanted = wanted
    if wanted and (st.inbox.len or (st.in_end and not st.end_shown)):
        worker_soon(st.base.home, &st.turn)


cdef void op_flush(stream* base) noexcept nogil:
    """Frames; the write still waits for the end of the turn, when many streams share it."""
    cdef h2_stream* st = <h2_stream*>base
    if st.session is not NULL and st.queue.len:
        h2_output_frame(st.session)


cdef void h2_stream_fill_ops(stream_ops* ops) noexcept nogil:
    """What server and client streams do alike: all but send_head."""
    ops.send_body = op_send_body
    ops.send_trailers = op_send_trailers
    ops.turn_raw = op_turn_raw
    ops.want_body = op_want_body
    ops.flush = op_flush
    ops.release = op_release
    ops.reset = op_reset
