# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""fuzz_h2: bodies; the story is in fuzz_h2.pxd.

Floor      testing: imported by tests only.
Takes      bytes of a peer that may be hostile.
Gives      the number of a broken promise.
Never      keeps anything from one input to the next.
"""

from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from ext.base.arena cimport ARENA_CHUNK, arena, arena_free
from ext.base.chain cimport block_pool_init
from ext.base.clock cimport NS_PER_S
from ext.base.faults cimport CALLER_RESET, IDLE_TIMED_OUT
from ext.base.links cimport links, links_append, links_empty, links_init, links_remove
from ext.base.result cimport AGAIN
from ext.base.slab cimport slab_init
from ext.base.span cimport span_of
from ext.http.head cimport BODY_CHUNKED, BODY_NONE, HTTP_1_1, METHOD_GET, METHOD_POST, field, head
from ext.loop.timers cimport timers_init
from ext.mux.client cimport client
from ext.mux.context cimport mux_context
from ext.mux.h2_client cimport h2_client_open
from ext.mux.h2_server cimport h2_server_open, h2_servers_drain, h2_servers_end
from ext.mux.h2_session cimport h2_stream
from ext.mux.stream cimport stream, stream_events
from ext.stats.shard cimport shard, shard_init
from ext.transport.transport cimport IO_EOF, iovec, transport, transport_ops
from ext.transport.worker cimport (
    SCRATCH_BYTES,
    limits,
    worker,
    worker_bury,
    worker_run_agains,
    worker_run_errands,
)

cdef enum promise:
    KEPT = 0
    STREAM_LEFT
    ARENA_LEFT
    BUFFER_LEFT
    OWNER_LEFT
    CONN_LEFT

cdef enum:
    PREFACE_LEN = 24
    REQUESTS = 3         # that a client has open
    LARGE_BYTES = 100000
    SMALL_LINE = 4000    # bytes that a narrow line takes at once

cdef const char* PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# The world of one input.
cdef worker W
cdef mux_context MUX
cdef shard COUNTS
cdef limits BOUNDS
cdef transport LINE
cdef int64_t BUFFERS
cdef const char* INPUT
cdef size_t INPUT_LEFT
cdef size_t STEP         # bytes of a read
cdef int NARROW          # the line takes little at once
cdef uint32_t SEED       # what the owners do next
cdef int OWNERS
cdef links ALL           # the owners


# ── the line ──────────────────────────────────────────────────────────────

cdef ssize_t line_read(transport* t, char* at, size_t n) noexcept nogil:
    """The next bytes of the input, then the end."""
    global INPUT, INPUT_LEFT
    if n > STEP:
        n = STEP
    if n > INPUT_LEFT:
        n = INPUT_LEFT
    if n == 0:
        t.readable = False
        t.peer_closed = True
        return IO_EOF
    memcpy(at, INPUT, n)
    INPUT += n
    INPUT_LEFT -= n
    return <ssize_t>n


cdef ssize_t line_writev(transport* t, const iovec* parts, int count) noexcept nogil:
    cdef size_t n = 0
    cdef int i
    for i in range(count):
        n += parts[i].iov_len
    if NARROW and n > SMALL_LINE:
        n = SMALL_LINE
        t.writable = False
    t.sent_bytes += n
    return <ssize_t>n


cdef void line_shut(transport* t) noexcept nogil:
    pass


cdef void line_close(transport* t, bint hard) noexcept nogil:
    t.closed = True
    t.on_ready = NULL


cdef transport_ops LINE_OPS
LINE_OPS.read = line_read
LINE_OPS.writev = line_writev
LINE_OPS.shut = line_shut
LINE_OPS.close = line_close


# ── the owners ────────────────────────────────────────────────────────────

cdef struct owner:
    links link           # inline: first; in ALL
    stream* s            # borrows: the mux's
    arena* mem           # owns: of a request; NULL on the client's side
    bint server
    bint answered
    bint ended


cdef uint32_t chance(uint32_t n) noexcept nogil:
    """The next choice out of `n`; the same for the same input."""
    global SEED
    SEED = SEED * 1664525 + 1013904223
    return (SEED >> 16) % n


cdef void let_go(owner* o, int fault) noexcept nogil:
    global OWNERS
    OWNERS -= 1
    links_remove(&o.link)
    if fault:
        o.s.ops.reset(o.s, fault)
    else:
        o.s.ops.release(o.s)
    arena_free(o.mem)
    free(o)


cdef void make_head(head* h, field* f, int status) noexcept nogil:
    memset(h, 0, sizeof(head))
    h.version = HTTP_1_1
    h.status = status
    h.length = -1
    h.framing = BODY_CHUNKED
    h.fields = f
    h.field_count = 1
    f.name = span_of(b"X-Own", 5)
    f.value = span_of(b"1", 1)
    f.raw_len = 0
    f.id = 0
    f.flags = 0


cdef bint answer(owner* o) noexcept nogil:
    """Says something; True when all was said."""
    cdef head h
    cdef field f
    cdef uint32_t what = chance(5)
    make_head(&h, &f, 200)
    o.answered = True
    if what == 0:
        o.s.ops.send_head(o.s, &h, True)
        return True
    if what == 1:
        h.status = 103
        o.s.ops.send_head(o.s, &h, False)
        h.status = 200
    o.s.ops.send_head(o.s, &h, False)
    if what == 2:
        o.s.ops.send_body(o.s, W.scratch, LARGE_BYTES, False)
    if what == 3:
        o.s.ops.send_trailers(o.s, &h)
        return True
    if what == 4:
        return False
    o.s.ops.send_body(o.s, b"body", 4, True)
    return True


cdef void on_head(void* me, head* h, bint last) noexcept nogil:
    cdef owner* o = <owner*>me
    cdef uint32_t what = chance(4)
    o.ended = last
    if o.server and what < 2 and answer(o):
        let_go(o, 0)
    elif what == 2 and chance(2):
        let_go(o, IDLE_TIMED_OUT)
    elif not o.server and last:
        let_go(o, 0)
    else:
        o.s.ops.want_body(o.s, what != 3)


cdef void on_body(void* me, const char* at, size_t n, bint last) noexcept nogil:
    cdef owner* o = <owner*>me
    o.ended = o.ended or last
    if o.answered and o.server and o.s.ops.send_body(o.s, at, n, last) == AGAIN:
        o.s.ops.want_body(o.s, False)
    if last:
        let_go(o, 0)
    elif chance(16) == 0:
        let_go(o, CALLER_RESET)
    elif chance(8) == 0:
        o.s.ops.want_body(o.s, False)
        o.s.ops.want_body(o.s, True)


cdef void on_trailers(void* me, head* h) noexcept nogil:
    let_go(<owner*>me, 0)


cdef void on_room(void* me) noexcept nogil:
    cdef owner* o = <owner*>me
    o.s.ops.want_body(o.s, True)
    if o.answered and chance(2):
        o.s.ops.send_body(o.s, b"end", 3, True)
        if o.ended:
            let_go(o, 0)


cdef void on_fault(void* me, int fault) noexcept nogil:
    cdef owner* o = <owner*>me
    cdef head h
    cdef field f
    if o.server and not o.answered and chance(2):
        make_head(&h, &f, 400)
        h.framing = BODY_NONE
        o.s.ops.send_head(o.s, &h, True)
        let_go(o, 0)
    else:
        let_go(o, fault)


cdef stream_events EVENTS
EVENTS.on_head = on_head
EVENTS.on_body = on_body
EVENTS.on_trailers = on_trailers
EVENTS.on_room = on_room
EVENTS.on_fault = on_fault


cdef void own(stream* s, bint server) noexcept nogil:
    global OWNERS
    cdef owner* o = <owner*>malloc(sizeof(owner))
    memset(o, 0, sizeof(owner))
    o.s = s
    o.server = server
    o.mem = s.mem
    s.mem = NULL
    s.owner = o
    s.events = &EVENTS
    OWNERS += 1
    links_init(&o.link)
    links_append(&ALL, &o.link)


cdef void on_stream(worker* w, stream* s) noexcept nogil:
    if chance(32):
        own(s, True)


# ── one input ─────────────────────────────────────────────────────────────

cdef void begin(int kind, const char* data, size_t n) noexcept nogil:
    """A world as small as the mux can live in."""
    global INPUT, INPUT_LEFT, STEP, NARROW, BUFFERS, OWNERS
    cdef char* scratch = W.scratch
    memset(&W, 0, sizeof(worker))
    memset(&MUX, 0, sizeof(mux_context))
    memset(&BOUNDS, 0, sizeof(limits))
    memset(&LINE, 0, sizeof(transport))
    BOUNDS.head_max = 20000
    BOUNDS.response_head_max = 20000
    BOUNDS.fields_max = 100
    BOUNDS.linger_timeout_ns = NS_PER_S
    BOUNDS.head_timeout_ns = NS_PER_S
    BOUNDS.h2_streams_max = 20
    BOUNDS.h2_window_bytes = 200000
    BOUNDS.h2_resets_max = 50
    BOUNDS.h2_control_max = 50
    BOUNDS.h2_period_ns = NS_PER_S
    W.scratch = scratch if scratch is not NULL else <char*>malloc(SCRATCH_BYTES)
    W.now_ns = NS_PER_S
    W.stats = &COUNTS
    W.bounds = &BOUNDS
    W.mux = &MUX
    BUFFERS = 0
    OWNERS = 0
    shard_init(&COUNTS)
    timers_init(&W.wheel, W.now_ns)
    slab_init(&W.arenas, ARENA_CHUNK, 0)
    slab_init(&MUX.h2_streams, sizeof(h2_stream), 0)
    block_pool_init(&W.blocks, &BUFFERS, 100000 if kind & 8 else 32 << 20)
    links_init(&W.errands)
    links_init(&W.agains)
    links_init(&W.grave)
    links_init(&W.conns)
    links_init(&MUX.h2_servers)
    links_init(&ALL)
    MUX.on_stream = on_stream
    INPUT = data
    INPUT_LEFT = n
    STEP = 7 if kind & 1 else 5000
    NARROW = kind & 2
    LINE.ops = &LINE_OPS
    LINE.home = &W
    LINE.readable = True
    LINE.writable = True


cdef void run_line(int kind) noexcept nogil:
    """Turns of a loop, until the connection is closed or the input is at its end."""
    cdef int turn = 0
    while LINE.on_ready is not NULL and turn < 2000:
        turn += 1
        LINE.writable = True
        if kind & 4 and turn == 3:
            W.draining = True
            h2_servers_drain(&W)
        LINE.on_ready(&LINE)
        worker_run_errands(&W)
        worker_run_agains(&W)
        worker_run_errands(&W)
        worker_bury(&W)


cdef int settle() noexcept nogil:
    """Nothing may be left, once owners that stalled want what is stored for them."""
    cdef links* l
    cdef int rounds = 0
    while not links_empty(&ALL) and rounds < 100:
        rounds += 1
        l = ALL.next
        while l is not &ALL:
            (<owner*>l).s.ops.want_body((<owner*>l).s, True)
            l = l.next
        worker_run_errands(&W)
    worker_run_errands(&W)
    worker_bury(&W)
    if not LINE.closed:
        return CONN_LEFT
    if OWNERS:
        return OWNER_LEFT
    if MUX.h2_streams.live:
        return STREAM_LEFT
    if W.arenas.live:
        return ARENA_LEFT
    return BUFFER_LEFT if BUFFERS else KEPT


cdef int fuzz_server(const char* data, size_t n) noexcept nogil:
    global SEED
    if n < 2:
        return KEPT
    SEED = <unsigned char>data[1]
    begin(data[0], data + 2, n - 2)
    h2_server_open(&W, &LINE, PREFACE, PREFACE_LEN)
    run_line(data[0])
    h2_servers_end(&W)
    return settle()


cdef void ask(client* c, int method, const char* name, size_t n, bint last) noexcept nogil:
    cdef stream* s = c.ops.open(c)
    cdef head h
    cdef field f
    if s is NULL:
        return
    own(s, False)
    make_head(&h, &f, 0)
    h.method = <unsigned char>method
    h.method_text = span_of(name, n)
    h.target = span_of(b"/", 1)
    h.authority = span_of(b"a", 1)
    s.ops.send_head(s, &h, last)
    if not last:
        s.ops.send_body(s, W.scratch, LARGE_BYTES if chance(2) else 10, chance(2))


cdef void on_change(client* c) noexcept nogil:
    pass


cdef int fuzz_client(const char* data, size_t n) noexcept nogil:
    global SEED
    cdef client* c
    cdef int i
    if n < 2:
        return KEPT
    SEED = <unsigned char>data[1]
    begin(data[0], data + 2, n - 2)
    c = h2_client_open(&W, &LINE)
    if c is NULL:
        return KEPT
    c.on_change = on_change
    for i in range(REQUESTS):
        ask(c, METHOD_GET if i else METHOD_POST, b"GET" if i else b"POST", 3 if i else 4, i > 0)
    run_line(data[0])
    if not LINE.closed:   # else its memory has gone with it
        c.ops.close(c)
    return settle()


def run(str target, bytes data):
    """The number of the promise that these bytes break; 0 when all are kept."""
    if target == "server":
        return fuzz_server(data, len(data))
    return fuzz_client(data, len(data))
