# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h2_output: bodies; the story is in h2_output.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
Takes      what was submitted to nghttp2, and the bodies of the streams.
Gives      bytes to the transport.
Never      tells owners anything while nghttp2 is on the stack.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc

from ext.base.chain cimport block, block_at, chain_append, chain_drop
from ext.base.faults cimport NO_MEMORY
from ext.base.result cimport AGAIN, OK
from ext.mux.h2_guard cimport h2_guard_data_sent
from ext.mux.h2_head cimport NV_ON_STACK, h2_trailers_out
from ext.mux.h2_session cimport OUT_MARK, h2_session, h2_stream
from ext.mux.nghttp2 cimport (
    NGHTTP2_DATA_FLAG_EOF,
    NGHTTP2_DATA_FLAG_NO_COPY,
    NGHTTP2_DATA_FLAG_NO_END_STREAM,
    NGHTTP2_ERR_CALLBACK_FAILURE,
    NGHTTP2_ERR_DEFERRED,
    NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE,
    NGHTTP2_ERR_WOULDBLOCK,
    nghttp2_data_provider,
    nghttp2_data_source,
    nghttp2_frame,
    nghttp2_nv,
    nghttp2_session,
    nghttp2_session_mem_send,
    nghttp2_session_resume_data,
    nghttp2_submit_trailer,
)
from ext.http.head cimport head
from ext.transport.transport cimport iovec, transport
from ext.transport.worker cimport worker_soon

cdef enum:
    PARTS_MAX = 32      # of one writev: four times OUT_MARK
    FRAME_HEADER = 9    # bytes


cdef int h2_output_frame(h2_session* s) noexcept nogil:
    """Frames what may be sent, up to OUT_MARK bytes ahead of the kernel."""
    cdef const uint8_t* at
    cdef ssize_t n
    cdef int result = OK
    if s.busy or s.closed:
        return OK
    s.busy = True
    while s.out.len < OUT_MARK:
        n = nghttp2_session_mem_send(s.ng, &at)
        if n == 0:
            break
        if n < 0 or chain_append(&s.out, <const char*>at, <size_t>n) < 0:
            result = -NO_MEMORY
            break
    s.busy = False
    return result


cdef int h2_output_write(h2_session* s) noexcept nogil:
    """OK when nothing waits any more, AGAIN when an edge must come first, or a negative fault."""
    cdef iovec parts[PARTS_MAX]
    cdef transport* t = s.t
    cdef block* b
    cdef ssize_t put
    cdef int count
    while s.out.len:
        if not t.writable or t.connecting:
            return AGAIN
        count = 0
        b = s.out.head
        while b is not NULL and count < PARTS_MAX:
            parts[count].iov_base = <void*>block_at(b)
            parts[count].iov_len = <size_t>(b.end - b.start)
            count += 1
            b = b.next
        put = t.ops.writev(t, parts, count)
        if put < 0:
            return <int>put
        chain_drop(&s.out, <size_t>put)
    return OK


cdef void h2_output_wake(h2_stream* st) noexcept nogil:
    """There is something to send again."""
    if st.deferred:
        st.deferred = False
        nghttp2_session_resume_data(st.session.ng, st.id)
    worker_soon(st.base.home, &st.session.outbox)


cdef void h2_output_body(h2_stream* st, nghttp2_data_provider* body) noexcept nogil:
    """The body of this stream, as nghttp2 asks for it."""
    body.source.ptr = st
    body.read_callback = body_read


cdef int trailers_submit(h2_stream* st) noexcept nogil:
    cdef nghttp2_nv on_stack[NV_ON_STACK]
    cdef nghttp2_nv* nva = on_stack
    cdef const head* h = st.trailers_now if st.trailers_now is not NULL else st.trailers_kept
    cdef int result
    if h.field_count > NV_ON_STACK:
        nva = <nghttp2_nv*>malloc(<size_t>h.field_count * sizeof(nghttp2_nv))
        if nva is NULL:
            return -1
    result = nghttp2_submit_trailer(st.session.ng, st.id, nva, h2_trailers_out(h, nva))
    if nva is not on_stack:
        free(nva)
    return result


cdef ssize_t body_read(
    nghttp2_session* ng, int32_t stream_id, uint8_t* buf, size_t length, uint32_t* flags, nghttp2_data_source* source,
    void* user,
) noexcept nogil:
    """How much of the body goes into the next frame."""
    cdef h2_stream* st = <h2_stream*>source.ptr
    cdef size_t have
    if (<h2_session*>user).ending:
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE   # the stream is lost and may be gone; the peer sees it cut
    have = st.queue.len + st.now_len
    if have == 0 and not st.out_last:
        st.deferred = True
        return NGHTTP2_ERR_DEFERRED
    if st.out_last and have <= length:
        flags[0] |= NGHTTP2_DATA_FLAG_EOF
        if (st.trailers_now is not NULL or st.trailers_kept is not NULL) and not st.trailers_sent:
            st.trailers_sent = True
            flags[0] |= NGHTTP2_DATA_FLAG_NO_END_STREAM
            if trailers_submit(st) != 0:
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
    if have == 0:
        return 0
    flags[0] |= NGHTTP2_DATA_FLAG_NO_COPY
    return <ssize_t>(have if have < length else length)


cdef int h2_output_data(
    nghttp2_session* ng, nghttp2_frame* frame, const uint8_t* header, size_t n, nghttp2_data_source* source, void* user
) noexcept nogil:
    """Frames `n` bytes of a body: the queue first, then what send_body offers."""
    cdef h2_stream* st = <h2_stream*>source.ptr
    cdef h2_session* s = <h2_session*>user
    cdef block* b
    cdef size_t part
    if s.ending:
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
    if s.out.len >= OUT_MARK:
        return NGHTTP2_ERR_WOULDBLOCK
    if chain_append(&s.out, <const char*>header, FRAME_HEADER) < 0:
        return NGHTTP2_ERR_CALLBACK_FAILURE
    h2_guard_data_sent(&s.guard)
    while n and st.queue.len:
        b = st.queue.head
        part = <size_t>(b.end - b.start)
        if part > n:
            part = n
        if chain_append(&s.out, block_at(b), part) < 0:
            return NGHTTP2_ERR_CALLBACK_FAILURE
        chain_drop(&st.queue, part)
        n -= part
    if n:
        if chain_append(&s.out, st.now_at, n) < 0:
            return NGHTTP2_ERR_CALLBACK_FAILURE
        st.now_at += n
        st.now_len -= n
    st.base.queued = st.queue.len
    if st.room_owed and st.queue.len == 0:
        worker_soon(st.base.home, &st.turn)
    return 0
