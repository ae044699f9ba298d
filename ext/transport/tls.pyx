# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""tls: bodies; the story is in tls.pxd.

Floor      transport: may cimport ext.base, ext.stats, ext.loop.
Takes      a TCP transport, freshly accepted or connecting, and an SSL_CTX.
Gives      the seam of transport.pxd.
Never      blocks; leaves an error in OpenSSL's queue, which is the thread's.

Who may write
    tls_side   the worker of its transport, nobody else
    an SSL_CTX is shared by all workers and written by none of them; OpenSSL
    counts its users, so old connections outlive a reload
"""

from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from ext.base.chain cimport block_at, chain_append, chain_clear, chain_drop, chain_init
from ext.base.faults cimport CALLER_RESET, CALLER_TLS_ERROR, NO_MEMORY, RESET_BEFORE_HEAD, UPSTREAM_TLS_ERROR
from ext.base.result cimport AGAIN, DONE, OK
from ext.loop.poller cimport READY_ERR, READY_HUP, READY_OUT, watch
from ext.stats.shard cimport counter_add
from ext.transport.openssl cimport (
    BIO,
    BIO_CTRL_EOF,
    BIO_CTRL_FLUSH,
    BIO_METHOD,
    BIO_TYPE_SOURCE_SINK,
    SSL_CTX,
    SSL_ERROR_WANT_READ,
    SSL_ERROR_WANT_WRITE,
    SSL_ERROR_ZERO_RETURN,
    BIO_clear_retry_flags,
    BIO_free,
    BIO_get_data,
    BIO_get_new_index,
    BIO_meth_new,
    BIO_meth_set_ctrl,
    BIO_meth_set_read,
    BIO_meth_set_write,
    BIO_new,
    BIO_set_data,
    BIO_set_init,
    BIO_set_retry_read,
    BIO_set_retry_write,
    ERR_clear_error,
    SSL_do_handshake,
    SSL_free,
    SSL_get0_alpn_selected,
    SSL_get_error,
    SSL_has_pending,
    SSL_new,
    SSL_read,
    SSL_set1_host,
    SSL_set_accept_state,
    SSL_set_bio,
    SSL_set_connect_state,
    SSL_set_tlsext_host_name,
    SSL_shutdown,
    SSL_write,
)
from ext.transport.tcp cimport tcp_note, tcp_ops
from ext.transport.transport cimport (
    ALPN_H1,
    ALPN_H2,
    ALPN_NONE,
    IO_AGAIN,
    IO_EOF,
    iovec,
    transport,
    transport_ops,
)

cdef enum:
    RECORD_BYTES = 16384            # the most that a record may carry
    RECORD_MORE_BYTES = 320         # what a record costs beside it, at most (RFC 8446 5.2)
    BATCH_RECORDS = 4               # of one sendmsg(2); more gains little and costs stack
    BATCH_BYTES = 66816 + 1024      # of these records, and of a key update in front

cdef struct cursor:
    const iovec* parts   # borrows: of the caller
    int count
    int part             # the next byte is in this one
    size_t at            # and there at this place

cdef BIO_METHOD* LINE = NULL   # of all connections; made once, under the GIL


cdef inline tls_side* side_of(transport* t) noexcept nogil:
    return <tls_side*>t.tls


cdef int line_read(BIO* b, char* at, int n) noexcept nogil:
    """OpenSSL wants ciphertext."""
    cdef transport* t = <transport*>BIO_get_data(b)
    cdef tls_side* s = side_of(t)
    cdef ssize_t got = IO_AGAIN
    BIO_clear_retry_flags(b)
    if not s.dry:
        t.readable = True
        got = tcp_ops().read(t, at, <size_t>n)
        s.dry = not t.readable
    if got > 0:
        return <int>got
    if got == IO_AGAIN:
        BIO_set_retry_read(b)
        return -1
    if got == IO_EOF:
        s.fin = True
        return 0
    return -1


cdef ssize_t line_send(transport* t, const char* at, size_t n) noexcept nogil:
    """Bytes that the kernel took, perhaps 0, or a negative fault."""
    cdef iovec part
    part.iov_base = <void*>at
    part.iov_len = n
    return tcp_ops().writev(t, &part, 1)


cdef int line_write(BIO* b, const char* at, int n) noexcept nogil:
    """OpenSSL has ciphertext: kept for the batch when there is one, else sent behind what is left."""
    cdef transport* t = <transport*>BIO_get_data(b)
    cdef tls_side* s = side_of(t)
    cdef ssize_t put = 0
    BIO_clear_retry_flags(b)
    if s.said_end:
        return n   # an answer of OpenSSL's own, to a late KeyUpdate say: nobody would hear it, and reading goes on
    if s.batch is not NULL:
        if s.batch_len + <size_t>n > BATCH_BYTES:
            return -1
        memcpy(s.batch + s.batch_len, at, <size_t>n)
        s.batch_len += <size_t>n
        return n
    if s.left.len == 0:
        put = line_send(t, at, <size_t>n)
    if put == 0 and s.says_end and chain_append(&s.left, at, <size_t>n) >= 0:
        return n
    if put == 0:
        BIO_set_retry_write(b)
        return -1
    return <int>put if put > 0 else -1


cdef long line_ctrl(BIO* b, int what, long number, void* pointer) noexcept nogil:
    if what == BIO_CTRL_FLUSH:
        return 1
    if what == BIO_CTRL_EOF:
        return side_of(<transport*>BIO_get_data(b)).fin
    return 0


cdef int tls_ready() noexcept nogil:
    """Prepares what all connections share. Under the GIL, before the first context; -NO_MEMORY."""
    global LINE
    if LINE is not NULL:
        return OK
    LINE = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, b"line")
    if LINE is NULL:
        return -NO_MEMORY
    BIO_meth_set_read(LINE, line_read)
    BIO_meth_set_write(LINE, line_write)
    BIO_meth_set_ctrl(LINE, line_ctrl)
    return OK


cdef int tls_end(transport* t) noexcept nogil:
    """The connection has failed; keeps the reason for whoever reads or writes next."""
    cdef tls_side* s = side_of(t)
    cdef bint opening = s.state == TLS_HANDSHAKE
    ERR_clear_error()
    s.state = TLS_ENDED
    t.opening = False
    if s.fin and opening and not s.of_client:
        t.lost = 0   # a TCP probe, or a caller that thought better of it: an end, and no fault
    elif s.fin or t.broken:
        # An end without close_notify may be cut short by anybody (RFC 8446 6.1).
        t.lost = RESET_BEFORE_HEAD if s.of_client else CALLER_RESET
    else:
        t.lost = UPSTREAM_TLS_ERROR if s.of_client else CALLER_TLS_ERROR
    t.broken = True
    t.readable = True
    t.writable = True
    return DONE


cdef int tls_advance(transport* t) noexcept nogil:
    """Goes on with the handshake. OK when there is none left, AGAIN, or DONE when the connection has failed."""
    cdef tls_side* s = side_of(t)
    cdef const unsigned char* name = NULL
    cdef unsigned int n = 0
    cdef int result, error
    if s.state == TLS_OPEN:
        return OK
    if s.state == TLS_ENDED:
        return DONE
    result = SSL_do_handshake(s.ssl)
    if result != 1:
        error = SSL_get_error(s.ssl, result)
        if error == SSL_ERROR_WANT_READ or error == SSL_ERROR_WANT_WRITE:
            return AGAIN
        return tls_end(t)
    s.state = TLS_OPEN
    t.opening = False
    t.readable = True
    t.writable = True
    counter_add(t.home.stats.tls_handshakes, 1)
    SSL_get0_alpn_selected(s.ssl, &name, &n)
    t.alpn = ALPN_NONE if n == 0 else ALPN_H2 if n == 2 else ALPN_H1
    return OK


cdef ssize_t tls_read(transport* t, char* at, size_t n) noexcept nogil:
    cdef tls_side* s = side_of(t)
    cdef size_t got = 0
    cdef int result = tls_advance(t)
    cdef int error
    if result == DONE:
        t.readable = False
        return -t.lost
    if result == AGAIN:
        t.readable = False
        return IO_AGAIN
    while got < n:
        result = SSL_read(s.ssl, at + got, <int>(n - got))
        if result > 0:
            got += <size_t>result
            if s.dry and not SSL_has_pending(s.ssl):
                t.readable = False
                return <ssize_t>got
            continue
        error = SSL_get_error(s.ssl, result)
        if error == SSL_ERROR_WANT_READ or error == SSL_ERROR_WANT_WRITE:
            s.waits = error == SSL_ERROR_WANT_WRITE
            t.readable = False
            return <ssize_t>got if got else IO_AGAIN
        if error != SSL_ERROR_ZERO_RETURN:
            tls_end(t)
        else:
            t.peer_closed = True
        if got == 0:
            t.readable = False
            return -t.lost   # IO_EOF when nothing was lost
        break
    t.readable = True   # there may be more, if only the end
    return <ssize_t>got


cdef size_t cursor_skip(cursor* c, size_t n) noexcept nogil:
    """Passes over up to `n` bytes; how many they were."""
    cdef size_t passed = 0
    cdef size_t step
    while c.part < c.count and passed < n:
        step = c.parts[c.part].iov_len - c.at
        if step > n - passed:
            step = n - passed
        passed += step
        c.at += step
        if c.at == c.parts[c.part].iov_len:
            c.part += 1
            c.at = 0
    return passed


cdef bint cursor_is_done(cursor* c) noexcept nogil:
    while c.part < c.count and c.parts[c.part].iov_len == c.at:
        c.part += 1
        c.at = 0
    return c.part == c.count


cdef const char* cursor_take(cursor* c, char* room, size_t* n) noexcept nogil:
    """The next record's bytes, of a cursor that is not done: where they lie, or else gathered into `room`."""
    cdef const char* at = <const char*>c.parts[c.part].iov_base + c.at
    cdef size_t step = c.parts[c.part].iov_len - c.at
    n[0] = 0
    if step >= RECORD_BYTES or c.part == c.count - 1:
        n[0] = cursor_skip(c, RECORD_BYTES)
        return at
    while n[0] < RECORD_BYTES and not cursor_is_done(c):
        at = <const char*>c.parts[c.part].iov_base + c.at
        step = c.parts[c.part].iov_len - c.at
        if step > RECORD_BYTES - n[0]:
            step = RECORD_BYTES - n[0]
        memcpy(room + n[0], at, step)
        n[0] += cursor_skip(c, step)
    return room


cdef int left_send(transport* t) noexcept nogil:
    """Sends what the kernel did not take. OK when nothing is left, AGAIN, or a negative fault."""
    cdef tls_side* s = side_of(t)
    cdef ssize_t put
    while s.left.len:
        put = line_send(t, block_at(s.left.head), <size_t>(s.left.head.end - s.left.head.start))
        if put < 0:
            return <int>put
        chain_drop(&s.left, <size_t>put)
        if not t.writable:
            return AGAIN if s.left.len else OK
    return OK


cdef int batch_send(transport* t, cursor* c, size_t* plain) noexcept nogil:
    """Encrypts and sends up to four records. OK, AGAIN when some of it is left, or a negative fault.

    plain   how many bytes of the cursor they carry
    """
    cdef char batch[BATCH_BYTES]
    cdef char room[RECORD_BYTES]
    cdef tls_side* s = side_of(t)
    cdef const char* at
    cdef size_t n
    cdef ssize_t put
    cdef int result
    cdef int _
    plain[0] = 0
    s.batch = batch
    s.batch_len = 0
    for _ in range(BATCH_RECORDS):
        if cursor_is_done(c):
            break
        at = cursor_take(c, room, &n)
        result = SSL_write(s.ssl, at, <int>n)
        if result <= 0:
            s.batch = NULL
            tls_end(t)
            return -t.lost
        plain[0] += n
    s.batch = NULL
    put = line_send(t, batch, s.batch_len)
    if put < 0:
        return <int>put
    if <size_t>put == s.batch_len:
        return OK
    if chain_append(&s.left, batch + put, s.batch_len - <size_t>put) < 0:
        tls_end(t)
        return -NO_MEMORY
    return AGAIN


cdef ssize_t tls_writev(transport* t, const iovec* parts, int count) noexcept nogil:
    cdef tls_side* s = side_of(t)
    cdef cursor c
    cdef size_t plain
    cdef size_t taken
    cdef int result = tls_advance(t)
    if result == DONE:
        return -t.lost if t.lost else -CALLER_RESET
    if result == OK:
        result = left_send(t)
    if result < 0:
        return result
    if result == AGAIN:
        t.writable = False
        return 0
    c.parts = parts
    c.count = count
    c.part = 0
    c.at = 0
    taken = cursor_skip(&c, s.owed)
    s.owed -= taken
    while not cursor_is_done(&c):
        result = batch_send(t, &c, &plain)
        if result < 0:
            return result
        if result == AGAIN:
            s.owed = plain
            t.writable = False
            return <ssize_t>taken
        taken += plain
    return <ssize_t>taken


cdef void say_end(transport* t) noexcept nogil:
    """close_notify, once, where the connection still can (RFC 8446 6.1)."""
    cdef tls_side* s = side_of(t)
    if s.state != TLS_OPEN or s.said_end or s.left.len or t.broken:
        return
    s.says_end = True
    SSL_do_handshake(s.ssl)   # ends an answer to a KeyUpdate that waits for room: OpenSSL says no end within one
    SSL_shutdown(s.ssl)
    ERR_clear_error()
    s.says_end = False
    s.said_end = True


cdef void tls_shut(transport* t) noexcept nogil:
    """close_notify and FIN; they wait for room, as a FIN alone would say that the bytes before it were cut short."""
    cdef tls_side* s = side_of(t)
    say_end(t)
    s.said_end = True
    if s.left.len == 0:
        tcp_ops().shut(t)


cdef void tls_close(transport* t, bint hard) noexcept nogil:
    cdef tls_side* s = side_of(t)
    if t.closed:
        return
    if not hard:
        say_end(t)
    SSL_free(s.ssl)
    chain_clear(&s.left)
    free(s)
    t.tls = NULL
    tcp_ops().close(t, hard)


cdef transport_ops TLS
TLS.read = tls_read
TLS.writev = tls_writev
TLS.shut = tls_shut
TLS.close = tls_close


cdef void tls_edge(watch* w, uint32_t ready) noexcept nogil:
    cdef transport* t = <transport*>w.owner
    cdef tls_side* s = side_of(t)
    tcp_note(t, ready)
    if ready & ~(<uint32_t>READY_OUT):
        s.dry = False
    if s.state == TLS_HANDSHAKE and not (t.connecting and ready & (READY_ERR | READY_HUP)):
        if tls_advance(t) == AGAIN:
            return
    if s.said_end and s.left.len and t.writable and left_send(t) != AGAIN:
        tcp_ops().shut(t)
    if s.waits and t.writable:
        s.waits = False
        t.readable = True
    if t.on_ready is not NULL:
        t.on_ready(t)


cdef tls_side* side_new(transport* t, void* context) noexcept nogil:
    """NULL without memory; the transport is then as it was."""
    cdef tls_side* s = <tls_side*>calloc(1, sizeof(tls_side))
    cdef BIO* line = BIO_new(LINE)
    if s is not NULL:
        s.ssl = SSL_new(<SSL_CTX*>context)
    if s is NULL or line is NULL or s.ssl is NULL:
        if s is not NULL:
            SSL_free(s.ssl)
        BIO_free(line)
        free(s)
        ERR_clear_error()
        return NULL
    BIO_set_data(line, t)
    BIO_set_init(line, 1)
    SSL_set_bio(s.ssl, line, line)
    chain_init(&s.left, &t.home.blocks)
    t.tls = s
    t.ops = &TLS
    t.w.on_ready = tls_edge
    return s


cdef int tls_accept(transport* t, void* context) noexcept nogil:
    """Turns a TCP transport that was just accepted into the server's side of TLS. OK, or -NO_MEMORY."""
    cdef tls_side* s = side_new(t, context)
    if s is NULL:
        return -NO_MEMORY
    SSL_set_accept_state(s.ssl)
    t.opening = True
    return OK


cdef int tls_connect(transport* t, void* context, const char* name) noexcept nogil:
    """Turns a TCP transport that is connecting into the client's side of TLS. OK, or -NO_MEMORY.

    name   the server's, for SNI, and for its certificate where the context verifies; NULL when it has
           none, as an address has none
    `connecting` stays set until the handshake is over, so that one timer bounds both.
    """
    cdef tls_side* s = side_new(t, context)
    if s is NULL:
        return -NO_MEMORY
    s.of_client = True
    SSL_set_connect_state(s.ssl)
    t.opening = True
    if name is not NULL and (SSL_set_tlsext_host_name(s.ssl, name) != 1 or SSL_set1_host(s.ssl, name) != 1):
        ERR_clear_error()
        return -NO_MEMORY
    return OK
