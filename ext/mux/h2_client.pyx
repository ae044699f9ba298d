# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h2_client: bodies; the story is in h2_client.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
Takes      a transport that is connected or about to be, whose peer speaks HTTP/2.
Gives      client streams of stream.pxd.
Never      retries, nor chooses where to connect.
"""

from libc.stdint cimport int32_t, uint32_t
from libc.stdlib cimport calloc, free, malloc

from ext.base.debug cimport LIVE_CONN, LIVE_DOWN, LIVE_UP
from ext.base.faults cimport (
    CLOSED_BEFORE_HEAD,
    CLOSED_IN_BODY,
    CLOSED_UNREAD,
    NO_MEMORY,
    RESET_BEFORE_HEAD,
    RESET_IN_BODY,
    STREAM_REFUSED,
    UPSTREAM_H2_ERROR,
    UPSTREAM_STREAM_RESET,
)
from ext.base.links cimport links_init
from ext.base.result cimport OK
from ext.http.head cimport METHOD_HEAD, head
from ext.mux.client cimport client, client_ops
from ext.mux.h2_callbacks cimport STREAMS_BEFORE_SETTINGS
from ext.mux.h2_guard cimport h2_guard_opened
from ext.mux.h2_head cimport NV_ON_STACK, NV_PSEUDO, h2_intake_response, h2_request_out
from ext.mux.h2_output cimport h2_output_body, h2_output_wake
from ext.mux.h2_session cimport h2_session, h2_session_end, h2_session_finish, h2_session_open, h2_side, h2_stream
from ext.mux.h2_stream cimport h2_stream_fail, h2_stream_fill_ops, h2_stream_intake_end, h2_stream_new
from ext.mux.nghttp2 cimport (
    NGHTTP2_NO_ERROR,
    NGHTTP2_PROTOCOL_ERROR,
    NGHTTP2_REFUSED_STREAM,
    NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
    nghttp2_data_provider,
    nghttp2_nv,
    nghttp2_session_check_request_allowed,
    nghttp2_session_del,
    nghttp2_session_get_remote_settings,
    nghttp2_session_terminate_session,
    nghttp2_submit_request,
)
from ext.mux.stream cimport stream, stream_ops
from ext.transport.tcp cimport tcp_is_unread
from ext.transport.transport cimport transport
from ext.transport.worker cimport corpse, worker

cdef enum:
    STREAMS_MAX = 0x3fffffff   # of one connection, whatever the peer allows


cdef client* h2_client_open(worker* w, transport* t) noexcept nogil:
    """Takes the transport over; NULL, and the transport closed, without memory."""
    cdef h2_client* c = <h2_client*>calloc(1, sizeof(h2_client))
    if c is NULL:
        t.ops.close(t, True)
        return NULL
    c.session.grave.bury = client_bury
    c.session.side = &SIDE
    c.session.owner = c
    if h2_session_open(&c.session, w, t, False) < 0:
        t.ops.close(t, True)
        nghttp2_session_del(c.session.ng)
        free(c)
        return NULL
    LIVE_UP(LIVE_CONN)
    links_init(&c.c.pool_link)
    c.c.ops = &CLIENT
    c.c.t = t
    c.c.home = w
    c.c.capacity = STREAMS_BEFORE_SETTINGS
    c.c.usable = True
    c.c.shared = True
    t.w.eager = True
    return &c.c


cdef void client_bury(corpse* grave) noexcept nogil:
    cdef h2_session* s = <h2_session*>grave
    nghttp2_session_del(s.ng)
    LIVE_DOWN(LIVE_CONN)
    free(s.owner)


cdef stream* client_open(client* base) noexcept nogil:
    """A stream; NULL when none fits or there is no memory."""
    cdef h2_client* c = <h2_client*>base
    cdef h2_stream* st
    if not base.usable or base.running >= base.capacity:
        return NULL
    st = h2_stream_new(&c.session)
    if st is NULL:
        return NULL
    st.base.reused = base.used
    st.sent_before = base.t.sent_bytes + c.session.out.len
    h2_guard_opened(&c.session.guard)
    base.running += 1
    base.idle_since_ns = 0
    return &st.base


cdef void client_close(client* base) noexcept nogil:
    """At once, but not while nghttp2 is on the stack."""
    cdef h2_client* c = <h2_client*>base
    if c.session.busy:
        h2_session_finish(&c.session, CLOSED_BEFORE_HEAD)
    else:
        h2_session_end(&c.session, CLOSED_BEFORE_HEAD)


# ── what differs from a server ────────────────────────────────────────────

cdef void on_headers(h2_stream* st, bint last) noexcept nogil:
    """An interim head, or the final one."""
    cdef int result = h2_intake_response(&st.intake, last, st.to_head)
    cdef head* h = &st.intake.h
    if st.base.owner is not NULL and result < 0:
        h2_stream_fail(st, -result, NGHTTP2_PROTOCOL_ERROR)
    elif st.base.owner is not NULL:
        (<h2_client*>st.session.owner).c.used = True
        st.head_seen = h.status >= 200
        st.in_end = last
        st.end_shown = last
        st.base.events.on_head(st.base.owner, h, last)
    h2_stream_intake_end(st)


cdef int fault_of(h2_stream* st, uint32_t code) noexcept nogil:
    if st.own_reset or st.in_end:
        return 0
    if st.head_seen:
        return RESET_IN_BODY
    if st.unsent or (st.peer_reset and code == NGHTTP2_REFUSED_STREAM) or st.session.going:
        return STREAM_REFUSED
    return UPSTREAM_STREAM_RESET if st.peer_reset else UPSTREAM_H2_ERROR


cdef int fault_of_end(h2_stream* st, int fault) noexcept nogil:
    """The connection's fault, in terms of this stream."""
    cdef transport* t = st.session.t
    if st.in_end:
        return 0
    if fault == CLOSED_BEFORE_HEAD:
        if st.head_seen:
            return CLOSED_IN_BODY
        if not t.closed and t.tls is NULL and tcp_is_unread(t, st.sent_before):
            return CLOSED_UNREAD
    elif fault == RESET_BEFORE_HEAD and st.head_seen:
        return RESET_IN_BODY
    return fault


cdef void on_count(h2_session* s) noexcept nogil:
    """Brings what the pool sees up to date."""
    cdef h2_client* c = <h2_client*>s.owner
    cdef uint32_t allowed = nghttp2_session_get_remote_settings(s.ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
    c.c.capacity = <int>allowed if allowed < STREAMS_MAX else STREAMS_MAX
    c.c.usable = not s.going and not s.ending and not s.closed and nghttp2_session_check_request_allowed(s.ng)
    if c.c.running and s.stream_count == 0:
        c.c.idle_since_ns = s.home.now_ns
    c.c.running = s.stream_count
    if not c.c.usable and c.c.running == 0 and not s.ending:
        nghttp2_session_terminate_session(s.ng, NGHTTP2_NO_ERROR)
    if c.c.on_change is not NULL:
        c.c.on_change(&c.c)


cdef void on_end(h2_session* s) noexcept nogil:
    cdef h2_client* c = <h2_client*>s.owner
    c.c.running = 0
    c.c.usable = False
    c.c.closed = True
    if c.c.on_change is not NULL:
        c.c.on_change(&c.c)


cdef int request_submit(h2_stream* st, const head* h, nghttp2_nv* nva, bint last) noexcept nogil:
    cdef nghttp2_data_provider body
    cdef size_t n = h2_request_out(h, st.base.via.tls is not NULL, nva)
    cdef int32_t id
    h2_output_body(st, &body)
    st.out_last = last
    st.to_head = h.method == METHOD_HEAD
    id = nghttp2_submit_request(st.session.ng, NULL, nva, n, NULL if last else &body, st)
    if id < 0:
        return -NO_MEMORY
    st.id = id
    return OK


cdef int send_head(stream* base, const head* h, bint last) noexcept nogil:
    """The request head; it leaves when the connection stands and the peer's limit allows."""
    cdef h2_stream* st = <h2_stream*>base
    cdef nghttp2_nv on_stack[NV_ON_STACK]
    cdef nghttp2_nv* nva = on_stack
    cdef size_t rows = <size_t>h.field_count + NV_PSEUDO + 1
    cdef int result
    if st.session is NULL:
        return OK
    if rows > NV_ON_STACK:
        nva = <nghttp2_nv*>malloc(rows * sizeof(nghttp2_nv))
        if nva is NULL:
            return -NO_MEMORY
    result = request_submit(st, h, nva, last)
    if nva is not on_stack:
        free(nva)
    h2_output_wake(st)
    return result


cdef stream_ops STREAM
h2_stream_fill_ops(&STREAM)
STREAM.send_head = send_head

cdef client_ops CLIENT
CLIENT.open = client_open
CLIENT.close = client_close

cdef h2_side SIDE
SIDE.ops = &STREAM
SIDE.on_headers = on_headers
SIDE.fault_of = fault_of
SIDE.fault_of_end = fault_of_end
SIDE.on_count = on_count
SIDE.on_end = on_end
