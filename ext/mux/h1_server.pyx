# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h1_server: bodies; the story is in h1_server.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
Takes      an accepted transport, and what was read while its protocol was found out.
Gives      server streams of stream.pxd.
Never      decides what a request means; answers by itself.
"""

from libc.stdint cimport int64_t
from libc.string cimport memset

from ext.base.arena cimport arena, arena_free, arena_new
from ext.base.debug cimport LIVE_CONN, LIVE_DOWN, LIVE_UP
from ext.base.faults cimport BODY_INCOMPLETE, CALLER_GONE, CALLER_RESET, NO_MEMORY, REQUEST_HEAD_TOO_LARGE, STOPPING
from ext.base.links cimport links, links_append, links_empty, links_init, links_remove
from ext.base.result cimport AGAIN, DONE, OK
from ext.base.slab cimport slab_give, slab_take
from ext.base.span cimport span
from ext.http.h1_body cimport h1_body_clear, h1_body_init, h1_body_next
from ext.http.h1_parse cimport h1_head_ended, h1_parse_request
from ext.http.head cimport BODY_LENGTH, BODY_NONE, HTTP_1_1, METHOD_HEAD, head, head_keep
from ext.loop.timers cimport timer, timer_drop, timer_init, timer_is_set, timer_set
from ext.mux.context cimport mux_context, mux_of
from ext.mux.h1_answer cimport h1_answer_ops
from ext.mux.h1_upgrade cimport h1_upgrade_begin, h1_upgrade_drop, h1_upgrade_read, h1_upgrade_wanted
from ext.mux.h2_server cimport h2_server_open
from ext.mux.h1_wire cimport (
    READS_MAX,
    wire_clear,
    wire_count_mended,
    wire_fill,
    wire_flush,
    wire_init,
    wire_leave,
    wire_next,
    wire_show_end,
    wire_spend,
    wire_view,
    wire_waits,
)
from ext.mux.sniff cimport SNIFFED_H1, SNIFFED_H2, sniff, sniff_is_foreign, sniffed
from ext.mux.stream cimport stream
from ext.stats.shard cimport BOUND_HEAD_TIME, BOUND_IDLE_TIME, BOUND_TLS_TIME, counter_add, shard_bound
from ext.transport.transport cimport ALPN_H2, IO_AGAIN, IO_EOF, transport
from ext.transport.worker cimport corpse, errand, errand_init, worker, worker_inter, worker_next, worker_soon


cdef h1_server* h1_server_open(worker* w, transport* t, const char* early, size_t n) noexcept nogil:
    """Takes the transport over; NULL, and the transport closed, without memory.

    early   what was read already, perhaps nothing
    """
    cdef h1_server* c = <h1_server*>slab_take(&mux_of(w).servers)
    if c is NULL:
        t.ops.close(t, True)
        return NULL
    LIVE_UP(LIVE_CONN)
    memset(c, 0, sizeof(h1_server))
    links_init(&c.grave.link)
    c.grave.bury = server_bury
    c.home = w
    links_init(&c.all)
    links_append(&w.conns, &c.all)
    w.conn_count += 1
    wire_init(&c.wire, t)
    errand_init(&c.wire.unsent, on_unsent, c)
    errand_init(&c.wire.resume, on_resume, c)
    timer_init(&c.clock, on_clock, c)
    c.state = SERVER_WAIT
    t.owner = c
    t.on_ready = on_edge
    if w.bounds.head_timeout_ns:
        timer_set(&w.wheel, &c.clock, w.now_ns + w.bounds.head_timeout_ns)
    if n and wire_leave(&c.wire, early, n) < 0:
        h1_server_close(c, True)
        return NULL
    return c


cdef void server_bury(corpse* grave) noexcept nogil:
    cdef h1_server* c = <h1_server*>grave
    LIVE_DOWN(LIVE_CONN)
    slab_give(&mux_of(c.home).servers, c)


cdef void h1_server_close(h1_server* c, bint hard) noexcept nogil:
    """Lets the connection go at once; an exchange that is open must have let go before."""
    if c.state == SERVER_CLOSED:
        return
    c.state = SERVER_CLOSED
    links_remove(&c.all)
    timer_drop(&c.clock)
    h1_upgrade_drop(c)
    wire_clear(&c.wire)
    h1_body_clear(&c.body)
    c.wire.t.ops.close(c.wire.t, hard)
    c.home.conn_count -= 1     # last: who sees it gone sees it counted as closed
    worker_inter(c.home, &c.grave)


cdef void h1_server_end_all(worker* w) noexcept nogil:
    """Before the worker stops: who waits for an answer is told so where that can still be said, or cut off."""
    cdef h1_server* c
    while not links_empty(&w.conns):
        c = <h1_server*>(<char*>w.conns.next - sizeof(corpse) - sizeof(stream))
        if c.s.owner is not NULL:
            c.s.events.on_fault(c.s.owner, STOPPING)
        if c.s.owner is not NULL:
            c.s.events.on_fault(c.s.owner, STOPPING)    # its answer waits for a slow reader: once more cuts it
        h1_server_close(c, False)


cdef void h1_server_close_idle(worker* w) noexcept nogil:
    """A drain has ended: connections that carry nothing, and on which nothing has come, may go."""
    cdef links* l = w.conns.next
    cdef h1_server* c
    while l != &w.conns:
        c = <h1_server*>(<char*>l - sizeof(corpse) - sizeof(stream))
        l = l.next
        if c.state == SERVER_WAIT and c.wire.kept_len == 0 and not c.wire.t.readable:
            h1_server_close(c, False)


cdef void h1_server_linger(h1_server* c) noexcept nogil:
    """Sends what waits and the FIN, then reads on for a while before it closes."""
    c.state = SERVER_LINGER
    h1_body_clear(&c.body)
    wire_leave(&c.wire, NULL, 0)
    c.wire.shut_after = True
    timer_set(&c.home.wheel, &c.clock, c.home.now_ns + c.home.bounds.linger_timeout_ns)
    if wire_flush(&c.wire) < 0:
        h1_server_close(c, False)


cdef void owner_fault(h1_server* c, int fault) noexcept nogil:
    """Tells the exchange, which lets go in its own way; closes when nobody is there."""
    if c.s.owner is not NULL:
        c.s.events.on_fault(c.s.owner, fault)
        return
    h1_server_close(c, False)


# ── edges and clocks ──────────────────────────────────────────────────────

cdef void on_edge(transport* t) noexcept nogil:
    cdef h1_server* c = <h1_server*>t.owner
    if t.writable and c.wire.out.len:
        flush_now(c)
        if c.state == SERVER_CLOSED:
            return
    h1_server_run(c)


cdef void on_unsent(errand* e) noexcept nogil:
    flush_now(<h1_server*>e.owner)


cdef void on_resume(errand* e) noexcept nogil:
    h1_server_run(<h1_server*>e.owner)


cdef void flush_now(h1_server* c) noexcept nogil:
    """Writes what waits; when that emptied the queue its owner has room again."""
    cdef int result = wire_flush(&c.wire)
    c.s.queued = c.wire.out.len
    if result < 0:
        if c.state == SERVER_OPEN or c.state == SERVER_RAW:
            owner_fault(c, -result)
        else:
            h1_server_close(c, False)
    elif result == OK and c.s.owner is not NULL:
        c.s.events.on_room(c.s.owner)


cdef void on_clock(timer* clock, uint64_t now_ns) noexcept nogil:
    cdef h1_server* c = <h1_server*>clock.owner
    if c.state == SERVER_WAIT:
        if c.wire.t.opening:
            shard_bound(c.home.stats, BOUND_TLS_TIME)
        else:
            shard_bound(c.home.stats, BOUND_HEAD_TIME if c.wire.kept_len or not c.served else BOUND_IDLE_TIME)
    elif c.state == SERVER_UPGRADE:
        shard_bound(c.home.stats, BOUND_HEAD_TIME)
    h1_server_close(c, False)


# ── reading ───────────────────────────────────────────────────────────────

cdef void h1_server_run(h1_server* c) noexcept nogil:
    """Goes on as far as bytes and the owner allow; harmless at any time."""
    cdef int reads = 0
    cdef int result
    if c.running or c.state == SERVER_CLOSED:
        return
    if c.home.reading:
        worker_soon(c.home, &c.wire.resume)
        return
    c.running = True
    c.home.reading = True
    while True:
        if c.state == SERVER_WAIT:
            result = read_head(c)
        elif c.state == SERVER_OPEN and not c.request_done and c.wanted:
            result = read_body(c)
        elif c.state == SERVER_RAW and c.wanted and not c.request_done:
            result = read_raw(c)
        elif c.state == SERVER_UPGRADE:
            result = h1_upgrade_read(c)
        elif c.state == SERVER_DRAIN:
            result = drain(c)
        elif c.state == SERVER_LINGER:
            result = discard(c)
        else:
            break
        reads += 1
        if result == AGAIN or c.state == SERVER_CLOSED:
            break
        if reads == READS_MAX:
            worker_next(c.home, &c.wire.resume)
            break
    c.running = False
    c.home.reading = False
    if c.state == SERVER_OPEN or c.state == SERVER_RAW:
        watch_caller(c)


cdef void watch_caller(h1_server* c) noexcept nogil:
    """A caller that closes before the head of its answer has gone; one that resets has gone at any time."""
    if c.wire.t.broken:
        owner_fault(c, CALLER_RESET)
    elif c.state == SERVER_OPEN and c.wire.t.peer_closed and not c.head_sent and (c.request_done or not c.wanted):
        owner_fault(c, CALLER_GONE)


cdef int read_head(h1_server* c) noexcept nogil:
    """One head from what is kept or read; AGAIN when it is not complete yet."""
    cdef mux_context* m = mux_of(c.home)
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
        if got <= 0:
            if got == IO_AGAIN:
                return AGAIN
            h1_server_close(c, False)
            return AGAIN
        if not c.served and (at[0] == c'P' or c.wire.t.alpn == ALPN_H2) and not stays_h1(c, at, n):
            return OK if c.state == SERVER_WAIT and c.wire.t.readable else AGAIN
        if c.wire.scanned and not h1_head_ended(at, n, &c.wire.scanned) and n < m.request_limits.head_max:
            return OK if c.wire.t.readable else AGAIN
    result = h1_parse_request(at, n, &m.request_limits, m.fields, &h, &used)
    if result == AGAIN and n >= m.request_limits.head_max:
        result = -REQUEST_HEAD_TOO_LARGE
    if result == AGAIN:
        return head_incomplete(c, at, n)
    if result < 0 and not c.served and sniff_is_foreign(at, n):
        counter_add(&c.home.stats.faults[-result], 1)
        h1_server_linger(c)
        return OK
    open_exchange(c, at, n, result, &h, used)
    return OK


cdef bint stays_h1(h1_server* c, char* at, size_t n) noexcept nogil:
    """False when these first bytes are, or may become, those of HTTP/2; the connection changes hands then."""
    cdef worker* w = c.home
    cdef transport* t = c.wire.t
    cdef sniffed found = SNIFFED_H2 if t.alpn == ALPN_H2 else sniff(at, n)
    if found == SNIFFED_H1:
        return True
    if found != SNIFFED_H2:
        if wire_leave(&c.wire, at, n) < 0:
            h1_server_close(c, True)
        c.wire.scanned = 1
        return False
    h2_server_open(w, t, at, n)
    h1_server_forget(c)
    return False


cdef void h1_server_forget(h1_server* c) noexcept nogil:
    """Another protocol has taken the transport over."""
    c.state = SERVER_CLOSED
    links_remove(&c.all)
    c.home.conn_count -= 1
    timer_drop(&c.clock)
    wire_clear(&c.wire)
    worker_inter(c.home, &c.grave)


cdef int head_incomplete(h1_server* c, const char* at, size_t n) noexcept nogil:
    """Keeps the beginning of a head; its time runs from the first byte."""
    if n == 0:
        wire_leave(&c.wire, NULL, 0)
        return AGAIN
    if wire_leave(&c.wire, at, n) < 0:
        h1_server_close(c, True)
        return AGAIN
    if c.wire.scanned == 0:
        h1_head_ended(at, n, &c.wire.scanned)
        if c.wire.scanned == 0:
            c.wire.scanned = 1
        if c.home.bounds.head_timeout_ns and (c.served or not timer_is_set(&c.clock)):
            timer_set(&c.home.wheel, &c.clock, c.home.now_ns + c.home.bounds.head_timeout_ns)
    return OK if c.wire.t.readable else AGAIN


cdef void open_exchange(h1_server* c, char* at, size_t n, int result, head* h, size_t used) noexcept nogil:
    """A complete head, or the fault in it, becomes an exchange."""
    cdef arena* mem = arena_new(&c.home.arenas)
    cdef head* kept = NULL
    c.wire.scanned = 0
    timer_drop(&c.clock)
    if mem is NULL:
        h1_server_close(c, True)
        return
    if result == OK:
        kept = head_keep(h, at, used, mem)
        if kept is NULL:
            result = -NO_MEMORY
    if result < 0:
        used = n
    if wire_leave(&c.wire, at + used, n - used) < 0:
        arena_free(mem)
        h1_server_close(c, True)
        return
    if result == OK and h1_upgrade_wanted(c, kept):
        h1_upgrade_begin(c, kept, mem)
        return
    h1_server_take(c, result, kept, mem)


cdef void h1_server_take(h1_server* c, int result, head* kept, arena* mem) noexcept nogil:
    """Opens the exchange of this head, or of the fault in one, and gives it the arena."""
    cdef bint is_last
    memset(&c.s, 0, sizeof(stream))
    c.s.ops = h1_answer_ops()
    c.s.home = c.home
    c.s.via = c.wire.t
    c.s.mem = mem
    c.s.version = HTTP_1_1
    c.s.connected = True
    c.state = SERVER_OPEN
    c.served = True
    c.wanted = False
    c.head_sent = False
    c.answer_done = False
    c.bodiless = False
    c.until_close = False
    c.drained = 0
    c.keep_alive = result == OK and kept.keep_alive
    c.version = kept.version if result == OK else HTTP_1_1
    c.expects = result == OK and kept.expects_continue
    c.bodiless = result == OK and kept.method == METHOD_HEAD
    if result == OK:
        wire_count_mended(&c.wire, kept.mended)
        h1_body_init(&c.body, kept.framing, kept.length, &mux_of(c.home).request_limits, True)
        is_last = kept.framing == BODY_NONE or (kept.framing == BODY_LENGTH and kept.length == 0)
    else:
        is_last = False
    c.request_done = is_last
    mux_of(c.home).on_stream(c.home, &c.s)
    if c.s.owner is NULL:
        arena_free(c.s.mem)
        h1_server_close(c, True)
    elif result < 0:
        c.s.events.on_fault(c.s.owner, -result)
    else:
        c.s.events.on_head(c.s.owner, kept, is_last)


cdef int read_body(h1_server* c) noexcept nogil:
    """Shows what there is of the body, as long as it is wanted."""
    cdef char* at
    cdef size_t n
    cdef ssize_t got
    cdef span data
    cdef int result = OK
    if wire_waits(&c.wire):
        return AGAIN
    got = wire_next(&c.wire, &at, &n)
    if got == IO_AGAIN:
        return AGAIN
    if got <= 0:
        owner_fault(c, BODY_INCOMPLETE if got == IO_EOF else <int>-got)
        return AGAIN
    while n and c.wanted and c.state == SERVER_OPEN:
        result = h1_body_next(&c.body, &at, &n, &data)
        if result < 0:
            wire_leave(&c.wire, NULL, 0)
            owner_fault(c, -result)
            return AGAIN
        if result == DONE:
            end_body(c, data, at, n)
            return OK
        if data.len:
            c.s.events.on_body(c.s.owner, data.at, data.len, False)
        elif result == AGAIN:
            break
    if c.state == SERVER_OPEN or c.state == SERVER_DRAIN:
        if wire_leave(&c.wire, at, n) < 0:
            owner_fault(c, NO_MEMORY)
            return AGAIN
    return OK


cdef void end_body(h1_server* c, span data, const char* rest, size_t n) noexcept nogil:
    """The last piece, and the trailers when there are any; `rest` belongs to the next request."""
    cdef int result
    if n == 0:
        wire_spend(&c.wire)
    elif wire_leave(&c.wire, rest, n) < 0:
        owner_fault(c, NO_MEMORY)
        return
    result = wire_show_end(&c.wire, &c.body, &c.s, data, &c.request_done)
    if result < 0:
        owner_fault(c, -result)
        return
    if c.state != SERVER_CLOSED and c.wire.kept_len == 0:
        wire_leave(&c.wire, NULL, 0)


cdef int read_raw(h1_server* c) noexcept nogil:
    cdef char* at
    cdef size_t n
    cdef ssize_t got
    if wire_waits(&c.wire):
        return AGAIN
    got = wire_next(&c.wire, &at, &n)
    if got == IO_AGAIN:
        return AGAIN
    if got == IO_EOF:
        c.request_done = True
        c.s.events.on_body(c.s.owner, NULL, 0, True)
        return AGAIN
    if got < 0:
        owner_fault(c, <int>-got)
        return AGAIN
    c.s.events.on_body(c.s.owner, at, n, False)
    if c.state != SERVER_CLOSED:
        wire_leave(&c.wire, NULL, 0)
    return OK


cdef int drain(h1_server* c) noexcept nogil:
    """Reads the rest of an upload whose answer has been given, so that the connection can go on."""
    cdef char* at
    cdef size_t n, before
    cdef ssize_t got = wire_next(&c.wire, &at, &n)
    cdef span data
    cdef int result
    if got == IO_AGAIN:
        return AGAIN
    if got <= 0:
        h1_server_close(c, False)
        return AGAIN
    while n:
        before = n
        result = h1_body_next(&c.body, &at, &n, &data)
        c.drained += <int64_t>(before - n)
        if result < 0 or c.drained > c.home.bounds.drain_max:
            h1_server_linger(c)
            return OK
        if result == DONE:
            wire_leave(&c.wire, at, n)
            h1_server_next(c)
            return OK
        if result == AGAIN:
            break
    wire_leave(&c.wire, NULL, 0)
    return OK


cdef int discard(h1_server* c) noexcept nogil:
    """Reads and forgets until the peer has closed."""
    cdef char* at
    cdef size_t n
    cdef ssize_t got = wire_next(&c.wire, &at, &n)
    if got == IO_AGAIN:
        return AGAIN
    if got <= 0:
        h1_server_close(c, False)
        return AGAIN
    return OK


cdef void h1_server_next(h1_server* c) noexcept nogil:
    """The exchange is over and the connection stays."""
    h1_body_clear(&c.body)
    c.state = SERVER_WAIT
    c.wire.scanned = 0
    timer_drop(&c.clock)
    if c.home.bounds.idle_timeout_ns:
        timer_set(&c.home.wheel, &c.clock, c.home.now_ns + c.home.bounds.idle_timeout_ns)
