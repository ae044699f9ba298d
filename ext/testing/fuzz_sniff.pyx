# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""fuzz_sniff: bodies; the story is in fuzz_sniff.pxd.

Floor      testing: imported by tests only.
Takes      bytes of a caller that may be hostile.
Gives      the number of a broken promise.
Never      keeps anything from one input to the next.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memset

from ext.base.arena cimport ARENA_CHUNK, arena, arena_free
from ext.base.chain cimport block_pool_init
from ext.base.clock cimport NS_PER_S
from ext.base.links cimport links, links_append, links_empty, links_init, links_remove
from ext.base.slab cimport slab_init
from ext.http.h1_parse cimport h1_head_ended, method_of
from ext.http.head cimport BODY_LENGTH, HTTP_1_1, METHOD_OTHER, field, head
from ext.loop.timers cimport timers_init
from ext.mux.context cimport mux_context
from ext.mux.h1_server cimport h1_server, h1_server_end_all, h1_server_open
from ext.mux.h2_server cimport h2_servers_end
from ext.mux.h2_session cimport h2_stream
from ext.mux.sniff cimport SNIFFED_H1, SNIFFED_H2, SNIFFED_MORE, sniff, sniff_is_foreign, sniffed
from ext.mux.stream cimport stream, stream_events
from ext.stats.shard cimport shard, shard_init
from ext.transport.transport cimport ALPN_H1, ALPN_H2, IO_AGAIN, IO_EOF, iovec, transport, transport_ops
from ext.transport.worker cimport SCRATCH_BYTES, limits, worker, worker_bury, worker_run_agains, worker_run_errands

cdef enum promise:
    KEPT = 0
    VERDICT_IS_THE_PREFACE     # MORE on a beginning of the preface, H2 behind it, else H1
    CUT_CHANGES_NOTHING        # who answers depends on the bytes alone
    VERDICT_IS_KEPT            # nobody speaks HTTP/2 without its preface or ALPN, nor HTTP/1 after them
    CONN_LEFT
    OWNER_LEFT
    STREAM_LEFT
    ARENA_LEFT
    BUFFER_LEFT

cdef enum spoken:
    SILENCE = 0
    H1_WAS_SPOKEN = 1
    H2_WAS_SPOKEN = 2

cdef enum:
    PREFACE_LEN = 24
    FIELDS = 24
    PAUSES = 1         # bits of the first byte: the socket is empty after each piece
    SPENT = 2          # there are hardly any buffers
    ALPN_SHIFT = 2     # two bits: what ALPN agreed on

cdef const char* PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# The world of one connection.
cdef worker W
cdef mux_context MUX
cdef shard COUNTS
cdef limits BOUNDS
cdef transport LINE
cdef field TABLE[FIELDS]
cdef int64_t BUFFERS
cdef const char* INPUT
cdef size_t INPUT_LEFT
cdef size_t STEP       # bytes of a read
cdef bint DRY          # the socket is empty after each read
cdef int HEARD         # spoken: by the first bytes that were written
cdef links ALL         # the owners


# ── the line ──────────────────────────────────────────────────────────────

cdef ssize_t line_read(transport* t, char* at, size_t n) noexcept nogil:
    """The next piece of the input, then the end."""
    global INPUT, INPUT_LEFT
    if not t.readable:
        return IO_AGAIN
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
    t.readable = not DRY
    return <ssize_t>n


cdef ssize_t line_writev(transport* t, const iovec* parts, int count) noexcept nogil:
    global HEARD
    cdef size_t n = 0
    cdef int i
    for i in range(count):
        if HEARD == SILENCE and parts[i].iov_len:
            HEARD = H1_WAS_SPOKEN if (<const char*>parts[i].iov_base)[0] == c'H' else H2_WAS_SPOKEN
        n += parts[i].iov_len
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
    arena* mem           # owns: of the request


cdef void let_go(owner* o) noexcept nogil:
    links_remove(&o.link)
    o.s.ops.release(o.s)
    arena_free(o.mem)
    free(o)


cdef void answer(owner* o, int status) noexcept nogil:
    """The whole answer, whatever of the request is still to come."""
    cdef head h
    memset(&h, 0, sizeof(head))
    h.version = HTTP_1_1
    h.status = status
    h.framing = BODY_LENGTH
    h.fields = TABLE
    o.s.ops.send_head(o.s, &h, True)
    let_go(o)


cdef void on_head(void* me, head* h, bint last) noexcept nogil:
    answer(<owner*>me, 200)


cdef void on_body(void* me, const char* at, size_t n, bint last) noexcept nogil:
    pass


cdef void on_trailers(void* me, head* h) noexcept nogil:
    pass


cdef void on_room(void* me) noexcept nogil:
    pass


cdef void on_fault(void* me, int fault) noexcept nogil:
    answer(<owner*>me, 400)


cdef stream_events EVENTS
EVENTS.on_head = on_head
EVENTS.on_body = on_body
EVENTS.on_trailers = on_trailers
EVENTS.on_room = on_room
EVENTS.on_fault = on_fault


cdef void on_stream(worker* w, stream* s) noexcept nogil:
    cdef owner* o = <owner*>malloc(sizeof(owner))
    o.s = s
    o.mem = s.mem
    s.mem = NULL
    s.owner = o
    s.events = &EVENTS
    links_init(&o.link)
    links_append(&ALL, &o.link)


# ── one connection ────────────────────────────────────────────────────────

cdef void begin_bounds() noexcept nogil:
    memset(&BOUNDS, 0, sizeof(limits))
    BOUNDS.head_max = 2048
    BOUNDS.response_head_max = 2048
    BOUNDS.fields_max = FIELDS
    BOUNDS.linger_timeout_ns = NS_PER_S
    BOUNDS.head_timeout_ns = NS_PER_S
    BOUNDS.drain_max = 100
    BOUNDS.h2_streams_max = 20
    BOUNDS.h2_window_bytes = 200000
    BOUNDS.h2_resets_max = 50
    BOUNDS.h2_control_max = 50
    BOUNDS.h2_period_ns = NS_PER_S


cdef void begin(int kind, const char* data, size_t n, size_t step) noexcept nogil:
    """A world as small as a connection can live in."""
    global INPUT, INPUT_LEFT, STEP, DRY, BUFFERS, HEARD
    cdef char* scratch = W.scratch
    memset(&W, 0, sizeof(worker))
    memset(&MUX, 0, sizeof(mux_context))
    memset(&LINE, 0, sizeof(transport))
    begin_bounds()
    W.scratch = scratch if scratch is not NULL else <char*>malloc(SCRATCH_BYTES)
    W.now_ns = NS_PER_S
    W.stats = &COUNTS
    W.bounds = &BOUNDS
    W.mux = &MUX
    BUFFERS = 0
    HEARD = SILENCE
    shard_init(&COUNTS)
    timers_init(&W.wheel, W.now_ns)
    slab_init(&W.arenas, ARENA_CHUNK, 0)
    slab_init(&MUX.servers, sizeof(h1_server), 0)
    slab_init(&MUX.h2_streams, sizeof(h2_stream), 0)
    block_pool_init(&W.blocks, &BUFFERS, 100000 if kind & SPENT else 32 << 20)
    links_init(&W.errands)
    links_init(&W.agains)
    links_init(&W.thirsty)
    links_init(&W.grave)
    links_init(&W.conns)
    links_init(&MUX.h2_servers)
    links_init(&ALL)
    MUX.fields = TABLE
    MUX.request_limits.head_max = BOUNDS.head_max
    MUX.request_limits.fields_max = FIELDS
    MUX.on_stream = on_stream
    INPUT = data
    INPUT_LEFT = n
    STEP = step
    DRY = kind & PAUSES
    LINE.ops = &LINE_OPS
    LINE.home = &W
    LINE.writable = True
    LINE.alpn = alpn_of(kind)


cdef unsigned char alpn_of(int kind) noexcept nogil:
    cdef int bits = (kind >> ALPN_SHIFT) & 3
    return ALPN_H2 if bits == ALPN_H2 else ALPN_H1 if bits == ALPN_H1 else 0


cdef void turn() noexcept nogil:
    worker_run_errands(&W)
    worker_run_agains(&W)
    worker_run_errands(&W)
    worker_bury(&W)


cdef int talk(int kind, const char* data, size_t n, size_t step, int* who) noexcept nogil:
    """One connection from its first byte to its end; `who` has spoken."""
    cdef int turns = 0
    begin(kind, data, n, step)
    h1_server_open(&W, &LINE, NULL, 0)
    while LINE.on_ready is not NULL and turns < 4000:
        turns += 1
        LINE.readable = True
        LINE.on_ready(&LINE)
        turn()
    who[0] = HEARD
    h1_server_end_all(&W)
    h2_servers_end(&W)
    turn()
    if not LINE.closed or MUX.servers.live:
        return CONN_LEFT
    if not links_empty(&ALL):
        return OWNER_LEFT
    if MUX.h2_streams.live:
        return STREAM_LEFT
    if W.arenas.live:
        return ARENA_LEFT
    return BUFFER_LEFT if BUFFERS else KEPT


# ── the verdict ───────────────────────────────────────────────────────────

cdef sniffed expected(const char* at, size_t n) noexcept nogil:
    """What RFC 9113 3.4 says of these bytes."""
    cdef size_t i
    for i in range(n):
        if i == PREFACE_LEN:
            break
        if at[i] != PREFACE[i]:
            return SNIFFED_H1
    return SNIFFED_H2 if n >= PREFACE_LEN else SNIFFED_MORE


cdef bint says_http(const char* at, size_t n) noexcept nogil:
    """The first line holds the word that every line of HTTP/1 holds."""
    cdef size_t i
    for i in range(n):
        if at[i] == c'\n':
            return False
        if n - i >= 5 and memcmp(at + i, b"HTTP/", 5) == 0:
            return True
    return False


cdef bint verdicts_hold(const char* at, size_t n) noexcept nogil:
    """For each beginning of these bytes, in memory of exactly its size."""
    cdef size_t part
    cdef char* copy
    cdef bint good = True
    for part in range((n if n < 64 else 64) + 1):
        copy = <char*>malloc(part if part else 1)
        memcpy(copy, at, part)
        good = good and sniff(copy, part) == expected(at, part)
        good = good and not (sniff_is_foreign(copy, part) and says_http(copy, part))
        free(copy)
    return good


cdef bint is_certain(const char* at, size_t n) noexcept nogil:
    """Whether these callers are answered does not depend on when their bytes come.

    A head with a fault in it is answered as soon as that is seen, so one that never becomes whole is
    answered or not; and who has not said HTTP by then, and wants no method of ours, is a stranger.
    """
    cdef size_t seen = 0
    cdef size_t word = 0
    while word < n and at[word] != c' ' and at[word] != c'\n':
        word += 1
    return h1_head_ended(at, n, &seen) and method_of(at, word) != METHOD_OTHER


cdef int fuzz_sniff(const char* data, size_t n) noexcept nogil:
    cdef int kind, broken
    cdef int cut = SILENCE
    cdef int whole = SILENCE
    cdef int bytewise = SILENCE
    cdef int wrong = H2_WAS_SPOKEN
    cdef size_t step
    if n < 2:
        return KEPT
    kind = <unsigned char>data[0]
    step = 1 + <size_t>(<unsigned char>data[1])
    data += 2
    n -= 2
    if not verdicts_hold(data, n):
        return VERDICT_IS_THE_PREFACE
    if alpn_of(kind) == ALPN_H2 or expected(data, n) == SNIFFED_H2:
        wrong = H1_WAS_SPOKEN
    broken = talk(kind, data, n, SCRATCH_BYTES, &whole)
    if broken == KEPT:
        broken = talk(kind, data, n, step, &cut)
    if broken == KEPT:
        broken = talk(kind, data, n, 1, &bytewise)
    if broken == KEPT and (whole == wrong or cut == wrong or bytewise == wrong):
        broken = VERDICT_IS_KEPT
    if broken == KEPT and kind & SPENT == 0 and is_certain(data, n) and (whole != cut or whole != bytewise):
        broken = CUT_CHANGES_NOTHING
    return broken


def run(str target, bytes data):
    """The number of the promise that these bytes break; 0 when all are kept."""
    return fuzz_sniff(data, len(data))
