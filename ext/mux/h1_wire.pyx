# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h1_wire: bodies; the story is in h1_wire.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
Never      knows whether it serves or calls, nor what a head says.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from ext.base.atomics cimport i64_add_relaxed, i64_load_relaxed
from ext.base.chain cimport (
    block,
    block_at,
    chain_append,
    chain_clear,
    chain_drop,
    chain_init,
    chain_is_spent,
    chain_is_tight,
)
from ext.base.faults cimport NO_MEMORY
from ext.base.links cimport links_remove
from ext.base.result cimport AGAIN, OK
from ext.base.span cimport span
from ext.http.h1_body cimport h1_body, h1_body_trailers
from ext.http.h1_write cimport h1_chunk_head, h1_write_trailers
from ext.http.head cimport MEND_CAUSES, head
from ext.mux.context cimport mux_of
from ext.mux.stream cimport stream
from ext.stats.shard cimport BOUND_BUFFERS, counter_add, shard_bound
from ext.transport.transport cimport IO_AGAIN, iovec, transport
from ext.transport.worker cimport QUEUE_MARK, SCRATCH_BYTES, worker, worker_soon, worker_thirst

cdef enum:
    PARTS_MAX = 16           # of one writev: the kernel takes 1024, a queue is rarely longer
    TIGHT_READ_BYTES = 8000  # of one read while the budget of buffers is nearly spent: fits into one block


cdef void wire_init(h1_wire* w, transport* t) noexcept nogil:
    """The caller sets up `unsent` and `resume`."""
    w.t = t
    chain_init(&w.out, &t.home.blocks)
    w.kept = NULL
    w.kept_at = 0
    w.kept_len = 0
    w.kept_size = 0
    w.scanned = 0
    w.chunked = False
    w.length_left = -1
    w.shut_after = False


cdef void kept_free(h1_wire* w) noexcept nogil:
    if w.kept is not NULL:
        i64_add_relaxed(w.t.home.blocks.used, -<int64_t>w.kept_size)
        free(w.kept)
        w.kept = NULL
    w.kept_at = 0
    w.kept_len = 0
    w.kept_size = 0


cdef void wire_clear(h1_wire* w) noexcept nogil:
    """Forgets everything; the transport is the caller's to close."""
    kept_free(w)
    chain_clear(&w.out)
    links_remove(&w.unsent.link)
    links_remove(&w.resume.link)


cdef int kept_room(h1_wire* w, size_t n) noexcept nogil:
    """Makes room for `n` more bytes behind those that are kept."""
    cdef size_t size = 1024
    cdef char* larger
    if w.kept_at + w.kept_len + n <= w.kept_size:
        return OK
    while size < w.kept_len + n:
        size *= 2
    if i64_load_relaxed(w.t.home.blocks.used) + <int64_t>size > w.t.home.blocks.used_max:
        shard_bound(w.t.home.stats, BOUND_BUFFERS)
        return -NO_MEMORY
    larger = <char*>malloc(size)
    if larger is NULL:
        return -NO_MEMORY
    i64_add_relaxed(w.t.home.blocks.used, <int64_t>size)
    cdef size_t len = w.kept_len
    if len:
        memcpy(larger, w.kept + w.kept_at, len)
    kept_free(w)
    w.kept = larger
    w.kept_len = len
    w.kept_size = size
    return OK


cdef bint wire_view(h1_wire* w, char** at, size_t* n) noexcept nogil:
    """What was kept; False when there is nothing."""
    at[0] = w.kept + w.kept_at
    n[0] = w.kept_len
    return w.kept_len > 0


cdef bint wire_is_full(const h1_wire* w) noexcept nogil:
    """Whoever fills the queue is to pause until it is empty."""
    return w.out.len > QUEUE_MARK or (w.out.len > 0 and chain_is_tight(&w.t.home.blocks))


cdef bint wire_waits(h1_wire* w) noexcept nogil:
    """A body's next bytes have to be read, but the budget is spent: `resume` comes when there is room again."""
    if w.kept_len or not w.t.readable or not chain_is_spent(&w.t.home.blocks):
        return False
    shard_bound(w.t.home.stats, BOUND_BUFFERS)
    worker_thirst(w.t.home, &w.resume)
    return True


cdef ssize_t wire_fill(h1_wire* w, char** at, size_t* n) noexcept nogil:
    """Reads once and shows all bytes there are, kept ones first.

    Returns the bytes that were read, IO_EOF, IO_AGAIN, or a negative fault.
    """
    cdef worker* home = w.t.home
    cdef size_t room = TIGHT_READ_BYTES if chain_is_tight(&home.blocks) else SCRATCH_BYTES
    cdef ssize_t got = w.t.ops.read(w.t, home.scratch, room)
    if got <= 0:
        return got
    if w.kept_len == 0:
        at[0] = home.scratch
        n[0] = <size_t>got
        return got
    if kept_room(w, <size_t>got) < 0:
        return -NO_MEMORY
    memcpy(w.kept + w.kept_at + w.kept_len, home.scratch, <size_t>got)
    w.kept_len += <size_t>got
    at[0] = w.kept + w.kept_at
    n[0] = w.kept_len
    return got


cdef ssize_t wire_next(h1_wire* w, char** at, size_t* n) noexcept nogil:
    """Shows what was kept, or else what one read brings.

    Returns the bytes that are shown, IO_EOF, IO_AGAIN, or a negative fault.
    """
    if wire_view(w, at, n):
        return <ssize_t>n[0]
    return wire_fill(w, at, n) if w.t.readable else IO_AGAIN


cdef int wire_leave(h1_wire* w, const char* rest, size_t n) noexcept nogil:
    """Of the bytes that were shown last only these are still needed."""
    cdef int result
    if n == 0:
        if w.kept is not NULL:
            kept_free(w)
        return OK
    if w.kept_len:
        w.kept_at = <size_t>(rest - w.kept)
        w.kept_len = n
        return OK
    result = kept_room(w, n)
    if result < 0:
        return result
    memcpy(w.kept, rest, n)
    w.kept_len = n
    return OK


cdef void wire_spend(h1_wire* w) noexcept nogil:
    """Nothing that was shown is needed again, but it stays where it is up to the next wire_leave."""
    w.kept_at = 0
    w.kept_len = 0


cdef int offer(h1_wire* w, iovec* parts, int count) noexcept nogil:
    """Writes what waits and then the parts; keeps a copy of what the kernel did not take."""
    cdef iovec all[PARTS_MAX]
    cdef int used = 0
    cdef int i
    cdef ssize_t put
    cdef size_t have
    cdef block* b = w.out.head
    while b is not NULL and used < PARTS_MAX - count:
        all[used].iov_base = <void*>block_at(b)
        all[used].iov_len = <size_t>(b.end - b.start)
        used += 1
        b = b.next
    if b is NULL:
        for i in range(count):
            all[used] = parts[i]
            used += 1
    put = w.t.ops.writev(w.t, all, used)
    if put < 0:
        return <int>put
    if w.out.len:
        have = <size_t>put if <size_t>put < w.out.len else w.out.len
        chain_drop(&w.out, have)
        put -= <ssize_t>have
    for i in range(count):
        if <size_t>put >= parts[i].iov_len:
            put -= <ssize_t>parts[i].iov_len
            continue
        if chain_append(&w.out, <char*>parts[i].iov_base + put, parts[i].iov_len - <size_t>put) < 0:
            return -NO_MEMORY
        put = 0
    return OK


cdef int put_parts(h1_wire* w, iovec* parts, int count) noexcept nogil:
    """Gathers small parts, offers large ones at once."""
    cdef size_t n = 0
    cdef int i
    for i in range(count):
        n += parts[i].iov_len
    if n > GATHER_BYTES and w.t.writable and not w.t.connecting:
        return offer(w, parts, count)
    for i in range(count):
        if chain_append(&w.out, <char*>parts[i].iov_base, parts[i].iov_len) < 0:
            return -NO_MEMORY
    worker_soon(w.t.home, &w.unsent)
    return OK


cdef int wire_put(h1_wire* w, const char* at, size_t n) noexcept nogil:
    """Sends bytes as they are."""
    cdef iovec part
    if n == 0:
        return OK
    part.iov_base = <void*>at
    part.iov_len = n
    return put_parts(w, &part, 1)


cdef int wire_body(h1_wire* w, const char* at, size_t n, bint last) noexcept nogil:
    """Sends a piece of a body in the framing of this message; more than a length promised is cut off."""
    cdef iovec parts[3]
    cdef char size_line[20]
    cdef int count = 0
    if not w.chunked:
        if w.length_left >= 0:
            if <int64_t>n > w.length_left:
                n = <size_t>w.length_left
            w.length_left -= <int64_t>n
        return wire_put(w, at, n)
    if n:
        parts[0].iov_base = size_line
        parts[0].iov_len = h1_chunk_head(size_line, n)
        parts[1].iov_base = <void*>at
        parts[1].iov_len = n
        count = 2
    if last:
        parts[count].iov_base = <void*><const char*>b"\r\n0\r\n\r\n" if n else <void*><const char*>b"0\r\n\r\n"
        parts[count].iov_len = 7 if n else 5
        count += 1
    elif n:
        parts[count].iov_base = <void*><const char*>b"\r\n"
        parts[count].iov_len = 2
        count += 1
    return put_parts(w, parts, count) if count else OK


cdef int wire_raw(h1_wire* w, const char* at, size_t n, bint last) noexcept nogil:
    """Sends bytes of an upgraded connection; the last ones take the FIN with them."""
    if last:
        w.shut_after = True
        worker_soon(w.t.home, &w.unsent)
    return wire_put(w, at, n)


cdef int wire_trailers(h1_wire* w, const head* h) noexcept nogil:
    """Ends a chunked body with its trailers."""
    cdef int result = wire_put(w, b"0\r\n", 3)
    return h1_write_trailers(&w.out, h) if result >= 0 else result


cdef int wire_show_end(h1_wire* w, h1_body* b, stream* s, span data, bint* done) noexcept nogil:
    """Shows the last piece of a body, and its trailers when it has any.

    done       of the message: set before the events
    Returns    OK, or the negative fault of the trailers: nothing is shown then
    """
    cdef head h
    cdef int result = h1_body_trailers(b, mux_of(w.t.home).fields, &h)
    if result < 0:
        return result
    wire_count_mended(w, b.mended)
    done[0] = True
    if h.field_count == 0:
        s.events.on_body(s.owner, data.at, data.len, True)
        return OK
    if data.len:
        s.events.on_body(s.owner, data.at, data.len, False)
    if s.owner is not NULL:
        s.events.on_trailers(s.owner, &h)
    return OK


cdef int wire_flush(h1_wire* w) noexcept nogil:
    """OK when nothing waits any more, AGAIN when an edge must come first, or a negative fault."""
    cdef int result
    links_remove(&w.unsent.link)
    while w.out.len:
        if not w.t.writable or w.t.connecting:
            return AGAIN
        result = offer(w, NULL, 0)
        if result < 0:
            return result
    if w.shut_after:
        w.shut_after = False
        w.t.ops.shut(w.t)
    return OK


cdef void wire_count_mended(h1_wire* w, uint64_t mended) noexcept nogil:
    """`mended` holds a bit for each mend_cause of a message (PENSTOCK_STRICT=observe)."""
    cdef int cause
    if mended:
        for cause in range(<int>MEND_CAUSES):
            if (mended >> cause) & 1:
                counter_add(&w.t.home.stats.mended[cause], 1)
