# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h2_callbacks: bodies; the story is in h2_callbacks.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
Takes      frames, field by field and piece by piece.
Gives      heads and bodies to h2_stream, frame headers to h2_guard.
Never      enters nghttp2 again but to submit, to consume, or to look something up.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t

from ext.base.arena cimport arena_new
from ext.base.faults cimport CALLER_H2_ERROR, NO_MEMORY, UPSTREAM_H2_ERROR
from ext.http.head cimport BODY_LENGTH
from ext.mux.h2_guard cimport h2_guard_frame, h2_guard_opened
from ext.mux.h2_head cimport h2_intake_begin, h2_intake_field
from ext.mux.h2_output cimport h2_output_data
from ext.mux.h2_session cimport GAPS_MAX, WINDOW_FIRST, h2_session, h2_session_clock, h2_stream
from ext.mux.h2_stream cimport (
    h2_stream_body,
    h2_stream_closed,
    h2_stream_fail,
    h2_stream_in_end,
    h2_stream_intake_end,
    h2_stream_new,
    h2_stream_refuse,
    h2_stream_trailers,
)
from ext.mux.nghttp2 cimport (
    NGHTTP2_DATA,
    NGHTTP2_ERR_CALLBACK_FAILURE,
    NGHTTP2_ERR_REFUSED_STREAM,
    NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE,
    NGHTTP2_FLAG_ACK,
    NGHTTP2_FLAG_END_STREAM,
    NGHTTP2_FLAG_NONE,
    NGHTTP2_GOAWAY,
    NGHTTP2_HCAT_REQUEST,
    NGHTTP2_HEADERS,
    NGHTTP2_INTERNAL_ERROR,
    NGHTTP2_NO_ERROR,
    NGHTTP2_PING,
    NGHTTP2_PROTOCOL_ERROR,
    NGHTTP2_RST_STREAM,
    NGHTTP2_SETTINGS,
    NGHTTP2_SETTINGS_ENABLE_PUSH,
    NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
    NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
    NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
    nghttp2_frame,
    nghttp2_frame_hd,
    nghttp2_option,
    nghttp2_option_del,
    nghttp2_option_new,
    nghttp2_option_set_max_continuations,
    nghttp2_option_set_max_outbound_ack,
    nghttp2_option_set_max_send_header_block_length,
    nghttp2_option_set_no_auto_window_update,
    nghttp2_option_set_peer_max_concurrent_streams,
    nghttp2_option_set_stream_reset_rate_limit,
    nghttp2_session,
    nghttp2_session_callbacks,
    nghttp2_session_callbacks_new,
    nghttp2_session_callbacks_set_on_begin_frame_callback,
    nghttp2_session_callbacks_set_on_begin_headers_callback,
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback,
    nghttp2_session_callbacks_set_on_frame_not_send_callback,
    nghttp2_session_callbacks_set_on_frame_recv_callback,
    nghttp2_session_callbacks_set_on_frame_send_callback,
    nghttp2_session_callbacks_set_on_header_callback,
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback,
    nghttp2_session_callbacks_set_on_invalid_header_callback,
    nghttp2_session_callbacks_set_on_stream_close_callback,
    nghttp2_session_callbacks_set_send_data_callback,
    nghttp2_session_client_new2,
    nghttp2_session_consume,
    nghttp2_session_get_last_proc_stream_id,
    nghttp2_session_get_stream_user_data,
    nghttp2_session_server_new2,
    nghttp2_session_set_local_window_size,
    nghttp2_session_set_stream_user_data,
    nghttp2_session_terminate_session,
    nghttp2_settings_entry,
    nghttp2_submit_goaway,
    nghttp2_submit_ping,
    nghttp2_submit_settings,
)
from ext.stats.shard cimport BOUND_H2_STREAMS, shard_bound
from ext.transport.worker cimport limits

cdef enum:
    CONTINUATIONS_MAX = 8192        # h2_guard counts them by bytes; nghttp2's own bound of 8 is below head_max
    ACKS_SLACK = 100                # of PING and SETTINGS that the peer does not read, beyond what h2_guard allows
    RESETS_UNBOUNDED = 0x7fffffff   # h2_guard counts them
    FRAME_BYTES = 16384


cdef inline h2_stream* stream_by_id(const h2_session* s, int32_t id) noexcept nogil:
    """NULL when it has closed. A session that ends has lost all its streams, though nghttp2 still knows them."""
    if s.ending or s.closed:
        return NULL
    return <h2_stream*>nghttp2_session_get_stream_user_data(s.ng, id)


cdef inline uint32_t head_max(const h2_session* s) noexcept nogil:
    return s.home.bounds.head_max if s.is_server else s.home.bounds.response_head_max


# ── frames that come in ───────────────────────────────────────────────────

cdef bint id_is_new(h2_session* s, int32_t id) noexcept nogil:
    """Opening a stream closes the lower ids that were passed over; to open one is an error (RFC 9113 5.1.1)."""
    cdef int i
    if id > s.last_id:
        if id > s.last_id + 2:
            s.gaps[2 * s.gap_next] = s.last_id + 2
            s.gaps[2 * s.gap_next + 1] = id - 2
            s.gap_next = (s.gap_next + 1) % GAPS_MAX
        s.last_id = id
        return True
    for i in range(GAPS_MAX):
        if s.gaps[2 * i] and s.gaps[2 * i] <= id <= s.gaps[2 * i + 1]:
            return False
    return True


cdef int on_begin_frame(nghttp2_session* ng, const nghttp2_frame_hd* hd, void* user) noexcept nogil:
    cdef h2_session* s = <h2_session*>user
    if not h2_guard_frame(&s.guard, hd, s.home.bounds, s.home.now_ns):
        return NGHTTP2_ERR_CALLBACK_FAILURE
    if s.is_server and hd.type == NGHTTP2_HEADERS and hd.stream_id & 1 and not id_is_new(s, hd.stream_id):
        nghttp2_session_terminate_session(ng, NGHTTP2_PROTOCOL_ERROR)
        return NGHTTP2_ERR_CALLBACK_FAILURE
    return 0


cdef int on_begin_headers(nghttp2_session* ng, const nghttp2_frame* frame, void* user) noexcept nogil:
    """A request opens a stream; any other section belongs to one."""
    cdef h2_session* s = <h2_session*>user
    cdef h2_stream* st
    s.in_block = True
    if s.is_server and frame.headers.cat == NGHTTP2_HCAT_REQUEST:
        st = h2_stream_new(s)
        if st is NULL:
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
        st.id = frame.hd.stream_id
        s.served = True
        nghttp2_session_set_stream_user_data(ng, st.id, st)
        h2_guard_opened(&s.guard)
        h2_session_clock(s)
    else:
        st = stream_by_id(s, frame.hd.stream_id)
        if st is NULL:
            return 0
        h2_stream_intake_end(st)
    if h2_intake_begin(&st.intake, arena_new(&s.home.arenas)) < 0:
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
    return 0


cdef int on_header(
    nghttp2_session* ng, const nghttp2_frame* frame, const uint8_t* name, size_t name_len, const uint8_t* value,
    size_t value_len, uint8_t flags, void* user,
) noexcept nogil:
    cdef h2_session* s = <h2_session*>user
    cdef h2_stream* st = stream_by_id(s, frame.hd.stream_id)
    if st is not NULL:
        h2_intake_field(
            &st.intake, <const char*>name, name_len, <const char*>value, value_len, head_max(s),
            s.home.bounds.fields_max,
        )
    return 0


cdef int on_invalid_header(
    nghttp2_session* ng, const nghttp2_frame* frame, const uint8_t* name, size_t name_len, const uint8_t* value,
    size_t value_len, uint8_t flags, void* user,
) noexcept nogil:
    """A malformed field makes the message malformed (RFC 9113 8.2.1); nghttp2 alone would only drop it."""
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE


cdef int on_data(
    nghttp2_session* ng, uint8_t flags, int32_t id, const uint8_t* at, size_t n, void* user
) noexcept nogil:
    """A piece of a frame. The last piece of an unpadded message carries its end, which saves an event."""
    cdef h2_stream* st = stream_by_id(<h2_session*>user, id)
    cdef bint last = False
    if st is NULL:
        nghttp2_session_consume(ng, id, n)
        return 0
    if flags & NGHTTP2_FLAG_END_STREAM and st.intake.h.framing == BODY_LENGTH:
        last = st.received + <long>n == st.intake.h.length
    if h2_stream_body(st, <const char*>at, n, last) < 0:
        h2_stream_fail(st, NO_MEMORY, NGHTTP2_INTERNAL_ERROR)
    return 0


cdef int on_frame(nghttp2_session* ng, const nghttp2_frame* frame, void* user) noexcept nogil:
    """A whole frame, its header block included."""
    cdef h2_session* s = <h2_session*>user
    cdef h2_stream* st
    cdef int kind = frame.hd.type
    cdef bint last = frame.hd.flags & NGHTTP2_FLAG_END_STREAM
    if kind == NGHTTP2_DATA:
        if last:
            st = stream_by_id(s, frame.hd.stream_id)
            if st is not NULL:
                h2_stream_in_end(st)
    elif kind == NGHTTP2_HEADERS:
        s.in_block = False
        st = stream_by_id(s, frame.hd.stream_id)
        if st is not NULL:
            if st.head_seen:
                h2_stream_trailers(st)
            else:
                s.side.on_headers(st, last)
    elif kind == NGHTTP2_RST_STREAM:
        st = stream_by_id(s, frame.hd.stream_id)
        if st is not NULL:
            st.peer_reset = True
    elif kind == NGHTTP2_SETTINGS:
        s.side.on_count(s)
    elif kind == NGHTTP2_GOAWAY:
        s.going = True
        s.side.on_count(s)
    elif kind == NGHTTP2_PING and frame.hd.flags & NGHTTP2_FLAG_ACK and s.draining and not s.drained:
        s.drained = True
        nghttp2_submit_goaway(
            ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(ng), NGHTTP2_NO_ERROR, NULL, 0)
    return 0


cdef int on_invalid_frame(nghttp2_session* ng, const nghttp2_frame* frame, int error, void* user) noexcept nogil:
    cdef h2_session* s = <h2_session*>user
    if frame.hd.type == NGHTTP2_HEADERS:
        s.in_block = False
        if error == NGHTTP2_ERR_REFUSED_STREAM:
            shard_bound(s.home.stats, BOUND_H2_STREAMS)
    return 0


# ── frames that go out, streams that end ──────────────────────────────────

cdef int on_sent(nghttp2_session* ng, const nghttp2_frame* frame, void* user) noexcept nogil:
    """Notes our END_STREAM, and why we end the connection."""
    cdef h2_session* s = <h2_session*>user
    cdef h2_stream* st
    cdef int kind = frame.hd.type
    if kind == NGHTTP2_GOAWAY:
        if frame.goaway.error_code != NGHTTP2_NO_ERROR:
            s.fault = CALLER_H2_ERROR if s.is_server else UPSTREAM_H2_ERROR
        elif s.draining and not s.drained:
            nghttp2_submit_ping(ng, NGHTTP2_FLAG_NONE, NULL)
    elif frame.hd.flags & NGHTTP2_FLAG_END_STREAM and (kind == NGHTTP2_DATA or kind == NGHTTP2_HEADERS):
        st = stream_by_id(s, frame.hd.stream_id)
        if st is not NULL:
            st.out_end = True
            if s.is_server and st.base.owner is NULL and not st.in_end:
                h2_stream_refuse(st, NGHTTP2_NO_ERROR)
    return 0


cdef int on_not_sent(nghttp2_session* ng, const nghttp2_frame* frame, int error, void* user) noexcept nogil:
    """A request that could not leave any more: the peer has not seen it."""
    cdef h2_stream* st
    if frame.hd.type == NGHTTP2_HEADERS and frame.headers.cat == NGHTTP2_HCAT_REQUEST:
        st = stream_by_id(<h2_session*>user, frame.hd.stream_id)
        if st is not NULL:
            st.unsent = True
    return 0


cdef int on_closed(nghttp2_session* ng, int32_t id, uint32_t code, void* user) noexcept nogil:
    cdef h2_stream* st = stream_by_id(<h2_session*>user, id)
    if st is not NULL:
        h2_stream_closed(st, code)
    return 0


# ── making a session ──────────────────────────────────────────────────────

cdef nghttp2_session_callbacks* CALLBACKS = NULL


cdef nghttp2_session_callbacks* callbacks_new() noexcept nogil:
    cdef nghttp2_session_callbacks* c = NULL
    if nghttp2_session_callbacks_new(&c) != 0:
        return NULL
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame)
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers)
    nghttp2_session_callbacks_set_on_header_callback(c, on_header)
    nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header)
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data)
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame)
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame)
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_sent)
    nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_not_sent)
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_closed)
    nghttp2_session_callbacks_set_send_data_callback(c, h2_output_data)
    return c


# Written once, when the module is loaded.
CALLBACKS = callbacks_new()


cdef int settings_submit(h2_session* s) noexcept nogil:
    """Our SETTINGS, and the connection's window behind them."""
    cdef const limits* bounds = s.home.bounds
    cdef nghttp2_settings_entry rows[3]
    cdef int n = 0
    rows[n].settings_id = NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE
    rows[n].value = head_max(s)
    n += 1
    if s.is_server:
        rows[n].settings_id = NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS
        rows[n].value = bounds.h2_streams_max
    else:
        rows[n].settings_id = NGHTTP2_SETTINGS_ENABLE_PUSH
        rows[n].value = 0
    n += 1
    if bounds.h2_window_bytes < WINDOW_FIRST:
        rows[n].settings_id = NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE
        rows[n].value = bounds.h2_window_bytes
        n += 1
    if nghttp2_submit_settings(s.ng, NGHTTP2_FLAG_NONE, rows, <size_t>n) != 0:
        return -1
    if bounds.h2_window_bytes > WINDOW_FIRST:
        return nghttp2_session_set_local_window_size(s.ng, NGHTTP2_FLAG_NONE, 0, <int32_t>bounds.h2_window_bytes)
    return 0


cdef int h2_session_make(h2_session* s) noexcept nogil:
    """The nghttp2 session of `s`; -1 when there is no memory."""
    cdef const limits* bounds = s.home.bounds
    cdef nghttp2_option* o = NULL
    cdef int result
    if CALLBACKS is NULL or nghttp2_option_new(&o) != 0:
        return -1
    nghttp2_option_set_no_auto_window_update(o, 1)
    nghttp2_option_set_peer_max_concurrent_streams(o, STREAMS_BEFORE_SETTINGS)
    nghttp2_option_set_max_send_header_block_length(o, 2 * <size_t>bounds.head_max + FRAME_BYTES)
    nghttp2_option_set_max_continuations(o, CONTINUATIONS_MAX)
    nghttp2_option_set_max_outbound_ack(o, ACKS_SLACK + 2 * <size_t>bounds.h2_control_max)
    nghttp2_option_set_stream_reset_rate_limit(o, RESETS_UNBOUNDED, RESETS_UNBOUNDED)
    if s.is_server:
        result = nghttp2_session_server_new2(&s.ng, CALLBACKS, s, o)
    else:
        result = nghttp2_session_client_new2(&s.ng, CALLBACKS, s, o)
    nghttp2_option_del(o)
    if result != 0:
        s.ng = NULL
        return -1
    return settings_submit(s)
