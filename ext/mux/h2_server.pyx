# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h2_server: bodies; the story is in h2_server.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
Takes      an accepted transport whose peer speaks HTTP/2, or asks for it by Upgrade.
Gives      server streams of stream.pxd.
Never      decides what a request means; answers by itself.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free, malloc

from ext.base.arena cimport arena, arena_take
from ext.base.chain cimport chain_append, chain_clear
from ext.base.debug cimport LIVE_CONN, LIVE_DOWN, LIVE_UP
from ext.base.faults cimport BAD_UPGRADE, CALLER_H2_ERROR, CALLER_RESET, NO_MEMORY
from ext.base.links cimport links, links_append, links_empty, links_remove
from ext.base.result cimport OK
from ext.http.head cimport METHOD_HEAD, head
from ext.loop.timers cimport timer_drop
from ext.mux.context cimport mux_of
from ext.mux.h2_head cimport NV_ON_STACK, h2_intake_request, h2_response_out
from ext.mux.h2_output cimport h2_output_body, h2_output_wake
from ext.mux.h2_session cimport (
    h2_session,
    h2_session_drain,
    h2_session_feed,
    h2_session_open,
    h2_session_stop,
    h2_side,
    h2_stream,
)
from ext.mux.h2_stream cimport h2_stream_fill_ops, h2_stream_new, h2_stream_refuse
from ext.mux.nghttp2 cimport (
    NGHTTP2_FLAG_NONE,
    NGHTTP2_REFUSED_STREAM,
    NGHTTP2_SETTINGS_ENABLE_PUSH,
    NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
    NGHTTP2_SETTINGS_MAX_FRAME_SIZE,
    nghttp2_data_provider,
    nghttp2_nv,
    nghttp2_session_del,
    nghttp2_session_set_stream_user_data,
    nghttp2_session_upgrade2,
    nghttp2_submit_headers,
    nghttp2_submit_response,
)
from ext.mux.stream cimport stream, stream_ops
from ext.transport.transport cimport transport
from ext.transport.worker cimport corpse, worker, worker_inter, worker_soon

cdef const char* SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
cdef enum:
    SWITCHING_LEN = 71
    FRAME_SIZE_LOWEST = 16384      # of SETTINGS_MAX_FRAME_SIZE (RFC 9113 6.5.2)
    FRAME_SIZE_HIGHEST = 16777215


# ── the connection ────────────────────────────────────────────────────────

cdef h2_session* session_new(worker* w, transport* t) noexcept nogil:
    """NULL without memory; the transport stays the caller's then."""
    cdef h2_session* s = <h2_session*>calloc(1, sizeof(h2_session))
    if s is NULL:
        return NULL
    s.grave.bury = session_bury
    s.side = &SIDE
    if h2_session_open(s, w, t, True) < 0:
        nghttp2_session_del(s.ng)
        free(s)
        return NULL
    LIVE_UP(LIVE_CONN)
    links_append(&mux_of(w).h2_servers, &s.all)
    w.conn_count += 1
    return s


cdef void session_bury(corpse* grave) noexcept nogil:
    cdef h2_session* s = <h2_session*>grave
    nghttp2_session_del(s.ng)
    LIVE_DOWN(LIVE_CONN)
    free(s)


cdef int h2_server_open(worker* w, transport* t, const char* early, size_t n) noexcept nogil:
    """Takes the transport over; closes it without memory.

    early   what was read already, beginning with the connection preface
    """
    cdef h2_session* s = session_new(w, t)
    cdef bint reading = w.reading
    if s is NULL:
        t.ops.close(t, True)
        return -NO_MEMORY
    w.reading = True   # `early` may lie in the worker's scratch
    h2_session_feed(s, early, n)
    w.reading = reading
    if t.readable:
        worker_soon(w, &s.resume)
    return OK


cdef void h2_servers_drain(worker* w) noexcept nogil:
    """Announces the end on every connection of this worker that has carried a stream."""
    cdef links* l = mux_of(w).h2_servers.next
    while l is not &mux_of(w).h2_servers:
        on_count(<h2_session*>(<char*>l - sizeof(corpse)))
        l = l.next


cdef void h2_servers_close_idle(worker* w) noexcept nogil:
    """A drain has ended: connections that carry no stream hear of the end, whether they ever carried one or not."""
    cdef links* l = mux_of(w).h2_servers.next
    cdef h2_session* s
    while l is not &mux_of(w).h2_servers:
        s = <h2_session*>(<char*>l - sizeof(corpse))
        l = l.next
        if s.stream_count == 0:
            h2_session_drain(s)


cdef void h2_servers_end(worker* w) noexcept nogil:
    """Before the worker stops: who waits for an answer is told so where that can still be said, or cut off."""
    cdef links* ring = &mux_of(w).h2_servers
    cdef h2_session* s
    while not links_empty(ring):
        s = <h2_session*>(<char*>ring.next - sizeof(corpse))
        h2_session_stop(s)


cdef ssize_t settings_decode(const char* text, size_t n, uint8_t* out) noexcept nogil:
    """base64url without padding (RFC 7540 3.2.1); the bytes, or -1."""
    cdef uint32_t bits = 0
    cdef int have = 0
    cdef ssize_t used = 0
    cdef size_t i
    cdef int c, value
    while n and text[n - 1] == b'=':
        n -= 1
    if n > SETTINGS_TEXT_MAX or n % 4 == 1:
        return -1
    for i in range(n):
        c = <unsigned char>text[i]
        if c'A' <= c <= c'Z':
            value = c - c'A'
        elif c'a' <= c <= c'z':
            value = c - c'a' + 26
        elif c'0' <= c <= c'9':
            value = c - c'0' + 52
        elif c == c'-' or c == c'+':
            value = 62
        elif c == c'_' or c == c'/':
            value = 63
        else:
            return -1
        bits = (bits << 6) | <uint32_t>value
        have += 6
        if have >= 8:
            have -= 8
            out[used] = <uint8_t>(bits >> have)
            used += 1
    return used if used % 6 == 0 else -1


cdef bint settings_are_valid(const uint8_t* at, size_t n) noexcept nogil:
    """Values in their ranges (RFC 9113 6.5.2); nghttp2 would end the connection for others."""
    cdef int id
    cdef uint32_t value
    while n:
        id = at[0] << 8 | at[1]
        value = <uint32_t>at[2] << 24 | <uint32_t>at[3] << 16 | <uint32_t>at[4] << 8 | at[5]
        if id == NGHTTP2_SETTINGS_ENABLE_PUSH and value > 1:
            return False
        if id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE and value >> 31:
            return False
        if id == NGHTTP2_SETTINGS_MAX_FRAME_SIZE and not FRAME_SIZE_LOWEST <= value <= FRAME_SIZE_HIGHEST:
            return False
        at += 6
        n -= 6
    return True


cdef void session_discard(h2_session* s, h2_stream* st) noexcept nogil:
    """As if there had been no session; the transport is the caller's again."""
    cdef worker* w = s.home
    if st is not NULL:
        st.base.ops.release(&st.base)
    timer_drop(&s.clock)
    links_remove(&s.outbox.link)
    links_remove(&s.all)
    w.conn_count -= 1
    chain_clear(&s.out)
    worker_inter(w, &s.grave)


cdef int h2_server_upgrade(
    worker* w, transport* t, const char* settings, size_t settings_len, head* request, arena* mem,
    const char* body, size_t body_len, const char* early, size_t early_len,
) noexcept nogil:
    """Turns an HTTP/1.1 connection into HTTP/2; its request becomes stream 1 (RFC 7540 3.2).

    settings   the value of HTTP2-Settings
    request    its head, in `mem`, which is the stream's from now on
    body       its whole body
    early      what was read behind the request
    Returns    OK: the 101 is on its way and the transport is taken over;
               -BAD_UPGRADE: the settings are malformed, -NO_MEMORY; nothing has happened then.
    Nothing of an earlier answer may wait to be written.
    """
    cdef uint8_t payload[SETTINGS_TEXT_MAX]
    cdef ssize_t n = settings_decode(settings, settings_len, payload)
    cdef void (*on_ready)(transport*) noexcept nogil
    cdef void* owner = t.owner
    cdef h2_session* s
    cdef h2_stream* st
    cdef bint reading = w.reading
    if n < 0 or not settings_are_valid(payload, <size_t>n):
        return -BAD_UPGRADE
    on_ready = t.on_ready
    s = session_new(w, t)
    if s is NULL:
        return -NO_MEMORY
    st = h2_stream_new(s)
    if (
        st is NULL
        or chain_append(&s.out, SWITCHING, SWITCHING_LEN) < 0
        or chain_append(&st.inbox, body, body_len) < 0
        or nghttp2_session_upgrade2(s.ng, payload, <size_t>n, request.method == METHOD_HEAD, st) != 0
    ):
        session_discard(s, st)
        t.on_ready = on_ready
        t.owner = owner
        return -BAD_UPGRADE
    st.id = 1
    nghttp2_session_set_stream_user_data(s.ng, 1, st)
    s.last_id = 1
    s.served = True
    st.in_end = True
    st.base.mem = mem
    w.reading = True   # `request` and `early` may lie in the worker's scratch
    show_request(st, OK, request, body_len == 0)
    h2_session_feed(s, early, early_len)
    w.reading = reading
    if t.readable:
        worker_soon(w, &s.resume)
    return OK


# ── what differs from a client ────────────────────────────────────────────

cdef void show_request(h2_stream* st, int result, head* h, bint last) noexcept nogil:
    """An owner for the request, which begins with its head or with the fault in it."""
    cdef worker* w = st.base.home
    on_count(st.session)
    st.head_seen = True
    mux_of(w).on_stream(w, &st.base)
    if st.base.owner is NULL:
        h2_stream_refuse(st, NGHTTP2_REFUSED_STREAM)
    elif result < 0:
        st.base.events.on_fault(st.base.owner, -result)
    else:
        st.end_shown = last
        st.base.events.on_head(st.base.owner, h, last)


cdef void on_headers(h2_stream* st, bint last) noexcept nogil:
    """A request head is complete; it lives as long as the arena that goes to the owner."""
    cdef int result = h2_intake_request(&st.intake, last)
    cdef head* h = <head*>arena_take(st.intake.mem, sizeof(head))
    if h is NULL:
        result = -NO_MEMORY
    else:
        h[0] = st.intake.h
    st.base.mem = st.intake.mem
    st.intake.mem = NULL
    st.in_end = last
    show_request(st, result, h, last)


cdef int fault_of(h2_stream* st, uint32_t code) noexcept nogil:
    if st.own_reset or (st.out_end and st.in_end):
        return 0
    return CALLER_RESET if st.peer_reset else CALLER_H2_ERROR


cdef int fault_of_end(h2_stream* st, int fault) noexcept nogil:
    return 0 if st.out_end and st.in_end else fault


cdef void on_count(h2_session* s) noexcept nogil:
    """A worker that drains says so on every connection once it has carried a stream.

    Not before: whoever has just connected would lose the connection between
    its preface and its first request, and clients call that a failure.
    """
    if s.home.draining and s.served:
        h2_session_drain(s)


cdef void on_end(h2_session* s) noexcept nogil:
    s.home.conn_count -= 1


cdef int head_submit(h2_stream* st, const head* h, const nghttp2_nv* nva, size_t n, bint last) noexcept nogil:
    cdef nghttp2_data_provider body
    if h.status < 200:
        return nghttp2_submit_headers(st.session.ng, NGHTTP2_FLAG_NONE, st.id, NULL, nva, n, NULL)
    st.out_last = last
    if last:
        return nghttp2_submit_response(st.session.ng, st.id, nva, n, NULL)
    h2_output_body(st, &body)
    return nghttp2_submit_response(st.session.ng, st.id, nva, n, &body)


cdef int send_head(stream* base, const head* h, bint last) noexcept nogil:
    """An interim or the final head."""
    cdef h2_stream* st = <h2_stream*>base
    cdef nghttp2_nv on_stack[NV_ON_STACK]
    cdef nghttp2_nv* nva = on_stack
    cdef char status[3]
    cdef int result
    if st.session is NULL:
        return OK
    if h.field_count + 1 > NV_ON_STACK:
        nva = <nghttp2_nv*>malloc((<size_t>h.field_count + 1) * sizeof(nghttp2_nv))
        if nva is NULL:
            return -NO_MEMORY
    result = head_submit(st, h, nva, h2_response_out(h, status, nva), last)
    if nva is not on_stack:
        free(nva)
    h2_output_wake(st)
    return OK if result == 0 else -NO_MEMORY


cdef stream_ops SERVER
h2_stream_fill_ops(&SERVER)
SERVER.send_head = send_head

cdef h2_side SIDE
SIDE.ops = &SERVER
SIDE.on_headers = on_headers
SIDE.fault_of = fault_of
SIDE.fault_of_end = fault_of_end
SIDE.on_count = on_count
SIDE.on_end = on_end
