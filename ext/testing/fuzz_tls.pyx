# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""fuzz_tls: bodies; the story is in fuzz_tls.pxd.

Floor      testing: imported by tests only.
Takes      a script of what the peer, the way and the owner do.
Gives      the number of a broken promise.
Never      keeps anything but the contexts from one input to the next.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memmove, memset
from posix.unistd cimport close

from ext.base.chain cimport block_pool_init
from ext.base.clock cimport NS_PER_S
from ext.base.faults cimport (
    CALLER_RESET,
    CALLER_TLS_ERROR,
    CONNECT_FAILED,
    NO_MEMORY,
    RESET_BEFORE_HEAD,
    UPSTREAM_TLS_ERROR,
)
from ext.base.links cimport links_init
from ext.base.slab cimport slab_init
from ext.loop.poller cimport poller_handle, poller_open, poller_wait
from ext.loop.timers cimport timers_init
from ext.stats.shard cimport shard, shard_init
from ext.testing.tls_peer cimport (
    TEXT_BYTES,
    tls_our_context,
    tls_peer,
    tls_peer_begin,
    tls_peer_end,
    tls_peer_free,
    tls_peer_give,
    tls_peer_is_open,
    tls_peer_ready,
    tls_peer_rekey,
    tls_peer_seed,
    tls_peer_step,
    tls_peer_take,
    tls_peer_write,
    tls_text,
)
from ext.transport.listen cimport listener
from ext.transport.openssl cimport ERR_clear_error, ERR_peek_last_error
from ext.transport.tcp cimport tcp_adopt, tcp_connect_result, tcp_start
from ext.transport.tls cimport tls_accept, tls_connect
from ext.transport.transport cimport ALPN_H1, ALPN_H2, ALPN_NONE, IO_AGAIN, IO_EOF, iovec, transport
from ext.transport.worker cimport limits, worker, worker_bury

cdef extern from "<sys/socket.h>" nogil:
    enum:
        AF_UNIX
        SOCK_STREAM
        SOCK_NONBLOCK
        SOL_SOCKET
        SO_SNDBUF
        SHUT_WR
        MSG_NOSIGNAL
    int socketpair(int domain, int kind, int protocol, int* ends)
    int setsockopt(int fd, int level, int name, const void* value, unsigned int n)
    int shutdown(int fd, int how)
    ssize_t send(int fd, const void* at, size_t n, int flags)
    ssize_t recv(int fd, void* at, size_t n, int flags)

cdef extern from "<netinet/in.h>" nogil:
    struct sockaddr_in:
        unsigned short sin_family
    enum:
        AF_INET

cdef enum promise:
    KEPT = 0
    TEXT_WAS_CHANGED         # either side reads what the other said, in order
    MORE_THAN_WAS_SAID       # and no byte beyond it
    READ_GIVES_TOO_MUCH
    FAULT_IS_UNKNOWN         # only those that say what TLS can come to
    AGAIN_KEEPS_READABLE     # who finds nothing is told to wait
    SHORT_KEEPS_WRITABLE     # who could not write all is told to wait
    END_WAS_NOT_THE_END      # behind the end, or a fault, no byte is read
    CUT_WAS_NOT_SEEN         # a server's bytes end with close_notify, or with a fault
    NAME_WAS_NOT_CHECKED     # no handshake with a server of another name, or without a common protocol
    PROTOCOL_IS_ANOTHER      # than ALPN agreed on
    ERROR_WAS_LEFT           # in OpenSSL's queue, for the thread's next connection
    NOT_ALL_WAS_HEARD        # an undisturbed conversation stands still
    TRANSPORT_LEFT
    BUFFER_LEFT
    NO_OPENSSL

cdef enum step:
    PUMP = 0                 # everybody goes on, the bytes are carried
    PEER_STEP                # the peer handles what it has, or begins
    PEER_WRITE
    PEER_REKEY
    PEER_END
    CARRY_IN                 # from the peer to the socket
    CARRY_OUT
    GARBLE                   # one byte on its way; the next byte of the script says which
    STRAY                    # bytes of the script, as if the peer had sent them
    LOSE                     # the rest of what is on its way to us
    EDGES                    # the loop turns
    READ
    WRITE
    SHUT
    CLOSE
    PEER_FIN

cdef enum:
    OF_CLIENT = 1            # bits of the first byte: the engine calls
    OLD = 2                  # TLS 1.2
    NARROW = 4               # the socket takes little at once
    SPENT = 8                # no buffer for what it does not take
    OTHER_NAME = 16          # a client wants another server
    OFFER_SHIFT = 5          # two bits: what the peer offers by ALPN
    STRANGE_OFFER = 3
    NARROW_BYTES = 1         # the kernel makes 4.5 KiB of it
    WIRE_BYTES = 1 << 20
    PIECE_BYTES = 1 << 16
    PARTS = 3
    SCRIPT_BYTES = 192       # that are played: long ones only cost time
    ROUNDS_MAX = 2000
    IDLE_MAX = 3             # rounds without a result: a part of a record is none

cdef size_t SIZES[16]
SIZES[:] = [1, 2, 5, 16, 64, 255, 1024, 4096, 8191, 16383, 16384, 16385, 20000, 33000, 65000, 100000]

# The world of one input.
cdef worker W
cdef shard COUNTS
cdef limits BOUNDS
cdef listener DOOR
cdef int64_t BUFFERS
cdef tls_peer PEER
cdef bint PEER_IS_SERVER
cdef transport* T            # NULL once closed
cdef int FAR                 # the peer's end of the socket; -1 once closed
cdef char WIRE[WIRE_BYTES]   # from the peer, not in the socket yet
cdef size_t ON_WIRE
cdef char PIECE[PIECE_BYTES]
cdef size_t TAKEN            # bytes of the text that the engine took from its owner
cdef size_t OFFERED          # and that the owner has offered
cdef size_t GOT              # bytes of the text that it read
cdef bint OVER               # the last read gave the end or a fault
cdef bint ENDED              # the end
cdef bint SHUT_DONE
cdef bint DISTURBED          # the conversation need not succeed
cdef bint GARBLE_OUT         # the next byte towards the peer is changed
cdef int CLOSES              # in the next edge: 1 softly, 2 hard
cdef int BROKEN              # the first promise that was broken


cdef void demand(bint holds, int promised) noexcept nogil:
    global BROKEN
    if not holds and BROKEN == KEPT:
        BROKEN = promised


# ── the owner ─────────────────────────────────────────────────────────────

cdef void let_go(bint hard) noexcept nogil:
    global T, DISTURBED
    if T is not NULL:
        DISTURBED = True
        T.ops.close(T, hard)
        T = NULL


cdef void on_ready(transport* t) noexcept nogil:
    cdef int fault = tcp_connect_result(t) if t.connecting else 0
    demand(fault == 0 or fault == CONNECT_FAILED or is_known(fault), FAULT_IS_UNKNOWN)
    if CLOSES:
        let_go(CLOSES == 2)


cdef void turn() noexcept nogil:
    poller_wait(&W.poll, 0)
    poller_handle(&W.poll)
    worker_bury(&W)


cdef bint is_known(int fault) noexcept nogil:
    if fault == NO_MEMORY:
        return BOUNDS.buffers_max > 0
    if PEER_IS_SERVER:
        return fault == RESET_BEFORE_HEAD or fault == UPSTREAM_TLS_ERROR
    return fault == CALLER_RESET or fault == CALLER_TLS_ERROR


cdef bint read_some(size_t n) noexcept nogil:
    """Whether there was anything."""
    global GOT, OVER, ENDED
    cdef char* at
    cdef ssize_t got
    if T is NULL:
        return False
    at = <char*>malloc(n)   # of exactly that size, so that a sanitizer sees every step beyond it
    got = T.ops.read(T, at, n)
    if got > 0:
        demand(not OVER, END_WAS_NOT_THE_END)
        demand(<size_t>got <= n, READ_GIVES_TOO_MUCH)
        demand(GOT + <size_t>got <= PEER.said, MORE_THAN_WAS_SAID)
        if BROKEN == KEPT:
            demand(memcmp(at, tls_text() + GOT, <size_t>got) == 0, TEXT_WAS_CHANGED)
        GOT += <size_t>got
    elif got == IO_AGAIN:
        demand(not T.readable, AGAIN_KEEPS_READABLE)
        demand(not OVER, END_WAS_NOT_THE_END)
    else:
        OVER = True
        ENDED = got == IO_EOF
        demand(not T.readable, AGAIN_KEEPS_READABLE)
        demand(not ENDED or PEER.said_end or not PEER_IS_SERVER, CUT_WAS_NOT_SEEN)
        demand(ENDED or is_known(<int>-got), FAULT_IS_UNKNOWN)
    free(at)
    return got > 0


cdef void write_some(size_t n) noexcept nogil:
    """Offers so much, in several parts, from the first byte that was not taken."""
    global TAKEN, OFFERED
    cdef iovec parts[PARTS]
    cdef ssize_t put
    cdef const char* at = tls_text() + TAKEN
    cdef int i
    if T is NULL or SHUT_DONE:
        return
    if n > TEXT_BYTES - TAKEN:
        n = TEXT_BYTES - TAKEN
    for i in range(PARTS):
        parts[i].iov_base = <void*>at
        parts[i].iov_len = n // 8 if i < PARTS - 1 else n - 2 * (n // 8)
        at += parts[i].iov_len
    if OFFERED < TAKEN + n:
        OFFERED = TAKEN + n
    put = T.ops.writev(T, parts, PARTS)
    if put < 0:
        demand(is_known(<int>-put), FAULT_IS_UNKNOWN)
        return
    demand(<size_t>put <= n, MORE_THAN_WAS_SAID)
    demand(<size_t>put == n or not T.writable, SHORT_KEEPS_WRITABLE)
    TAKEN += <size_t>put


cdef void shut() noexcept nogil:
    """An owner ends its side when all that it has to say was taken."""
    global SHUT_DONE, DISTURBED
    if T is NULL or SHUT_DONE:
        return
    if T.opening or TAKEN < OFFERED:
        DISTURBED = True
    SHUT_DONE = True
    T.ops.shut(T)


# ── the way ───────────────────────────────────────────────────────────────

cdef void fetch() noexcept nogil:
    """What the peer has made goes onto the wire."""
    global ON_WIRE
    ON_WIRE += tls_peer_give(&PEER, WIRE + ON_WIRE, WIRE_BYTES - ON_WIRE)


cdef size_t carry_in(size_t n) noexcept nogil:
    global ON_WIRE
    cdef ssize_t put
    fetch()
    if n > ON_WIRE:
        n = ON_WIRE
    if FAR < 0 or n == 0:
        return 0
    put = send(FAR, WIRE, n, MSG_NOSIGNAL)
    if put <= 0:
        return 0
    ON_WIRE -= <size_t>put
    memmove(WIRE, WIRE + put, ON_WIRE)
    return <size_t>put


cdef size_t carry_out(size_t n) noexcept nogil:
    global GARBLE_OUT
    cdef ssize_t got
    if FAR < 0:
        return 0
    got = recv(FAR, PIECE, n if n < PIECE_BYTES else PIECE_BYTES, 0)
    if got <= 0:
        return 0
    if GARBLE_OUT:
        PIECE[0] ^= 1
        GARBLE_OUT = False
    tls_peer_take(&PEER, PIECE, <size_t>got)
    return <size_t>got


cdef void garble(size_t place, int how) noexcept nogil:
    """Changes a byte on its way: to us, where there is one, else the next one to the peer."""
    global DISTURBED, GARBLE_OUT
    DISTURBED = True
    fetch()
    if place < ON_WIRE and how < 8:
        WIRE[place] ^= <char>(1 << how)
    else:
        GARBLE_OUT = True


cdef void stray(const char* at, size_t n) noexcept nogil:
    global DISTURBED, ON_WIRE
    DISTURBED = True
    fetch()
    if ON_WIRE + n <= WIRE_BYTES:
        memcpy(WIRE + ON_WIRE, at, n)
        ON_WIRE += n


cdef void lose(size_t n) noexcept nogil:
    """All but the first bytes on their way to us."""
    global DISTURBED, ON_WIRE
    fetch()
    if n < ON_WIRE:
        DISTURBED = True
        ON_WIRE = n


cdef void far_end(bint whole) noexcept nogil:
    """The peer's FIN, or it is gone."""
    global DISTURBED, FAR
    if FAR < 0:
        return
    DISTURBED = True
    if whole:
        close(FAR)
        FAR = -1
    else:
        shutdown(FAR, SHUT_WR)


cdef bint pump() noexcept nogil:
    """Everybody goes on once; False when nothing came of it."""
    cdef size_t before = GOT + TAKEN + PEER.heard
    cdef size_t moved
    tls_peer_step(&PEER)
    moved = carry_in(WIRE_BYTES)
    turn()
    while T is not NULL and T.readable and BROKEN == KEPT and not OVER:
        read_some(PIECE_BYTES)
    if T is not NULL and T.writable and TAKEN < OFFERED:
        write_some(OFFERED - TAKEN)
    moved += carry_out(PIECE_BYTES)
    return moved > 0 or GOT + TAKEN + PEER.heard > before


# ── one input ─────────────────────────────────────────────────────────────

cdef void begin(int kind) noexcept nogil:
    """A new world with a new connection in it."""
    global BUFFERS, T, FAR, ON_WIRE, TAKEN, OFFERED, GOT, OVER, ENDED, SHUT_DONE, DISTURBED, GARBLE_OUT
    global CLOSES, BROKEN, PEER_IS_SERVER
    cdef int ends[2]
    cdef int little = NARROW_BYTES
    cdef sockaddr_in nobody
    BUFFERS = 0
    ON_WIRE = TAKEN = OFFERED = GOT = 0
    OVER = ENDED = SHUT_DONE = GARBLE_OUT = False
    CLOSES = 0
    BROKEN = KEPT
    DISTURBED = kind & SPENT
    PEER_IS_SERVER = kind & OF_CLIENT
    shard_init(&COUNTS)
    memset(&BOUNDS, 0, sizeof(limits))
    BOUNDS.buffers_max = 10000 if kind & SPENT else 0
    W.now_ns = NS_PER_S
    W.stats = &COUNTS
    W.bounds = &BOUNDS
    timers_init(&W.wheel, W.now_ns)
    links_init(&W.grave)
    slab_init(&W.transports, sizeof(transport), 0)
    block_pool_init(&W.blocks, &BUFFERS, 10000 if kind & SPENT else 32 << 20)
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends)
    FAR = ends[1]
    if kind & NARROW:
        setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof(little))
        setsockopt(FAR, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little))
    memset(&nobody, 0, sizeof(nobody))
    nobody.sin_family = AF_INET
    T = tcp_adopt(&W, ends[0], &nobody)
    T.on_ready = on_ready
    tls_peer_begin(&PEER, not PEER_IS_SERVER, kind & OLD, kind >> OFFER_SHIFT & 3)


cdef void open_tls(int kind) noexcept nogil:
    """As the listener and the dialer do it."""
    global DISTURBED
    if PEER_IS_SERVER:
        T.connecting = True
        tls_connect(T, tls_our_context(True), b"other" if kind & OTHER_NAME else b"localhost")
    else:
        T.via = &DOOR
        tls_accept(T, tls_our_context(False))
    DISTURBED = DISTURBED or is_hopeless(kind)
    tcp_start(T)


cdef bint is_hopeless(int kind) noexcept nogil:
    """No handshake may succeed."""
    if kind & OF_CLIENT:
        return kind & OTHER_NAME
    return kind >> OFFER_SHIFT & 3 == STRANGE_OFFER


cdef size_t play(int what, int much, const char* rest, size_t n) noexcept nogil:
    """One step; how many bytes of the script behind it belong to it."""
    global CLOSES, DISTURBED
    cdef size_t size = SIZES[much]
    if what == PUMP:
        while much >= 0:
            pump()
            much -= 1
    elif what == PEER_STEP:
        tls_peer_step(&PEER)
    elif what == PEER_WRITE:
        tls_peer_write(&PEER, size)
    elif what == PEER_REKEY:
        DISTURBED = not tls_peer_rekey(&PEER, much & 1) or DISTURBED
    elif what == PEER_END:
        tls_peer_end(&PEER)
    elif what == CARRY_IN:
        carry_in(size)
    elif what == CARRY_OUT:
        carry_out(size)
    elif what == GARBLE and n:
        garble(<unsigned char>rest[0], much)
        return 1
    elif what == STRAY:
        n = n if n < <size_t>much + 1 else <size_t>much + 1
        stray(rest, n)
        return n
    elif what == LOSE:
        lose(size)
    elif what == EDGES:
        turn()
    elif what == READ:
        read_some(size)
    elif what == WRITE:
        write_some(size)
    elif what == SHUT:
        shut()
    elif what == CLOSE and much & 2:
        CLOSES = 1 + (much & 1)
    elif what == CLOSE:
        let_go(much & 1)
        worker_bury(&W)
    elif what == PEER_FIN:
        far_end(much & 1)
    return 0


cdef void check(int kind) noexcept nogil:
    """What holds after every step."""
    demand(ERR_peek_last_error() == 0, ERROR_WAS_LEFT)
    demand(not PEER.deceived, TEXT_WAS_CHANGED)
    demand(PEER.heard <= OFFERED, MORE_THAN_WAS_SAID)
    demand(COUNTS.tls_handshakes[0] == 0 or not is_hopeless(kind), NAME_WAS_NOT_CHECKED)


cdef void check_success(int kind) noexcept nogil:
    """Nobody has disturbed the conversation, and nothing moves any more."""
    cdef int offer = kind >> OFFER_SHIFT & 3
    demand(not T.opening and tls_peer_is_open(&PEER), NOT_ALL_WAS_HEARD)
    demand(GOT == PEER.said and TAKEN == OFFERED and PEER.heard == TAKEN, NOT_ALL_WAS_HEARD)
    demand(ENDED == PEER.said_end and PEER.heard_end == SHUT_DONE, NOT_ALL_WAS_HEARD)
    if PEER_IS_SERVER:
        offer = 0
    demand(T.alpn == (ALPN_H2 if offer == 2 else ALPN_H1 if offer == 1 else ALPN_NONE), PROTOCOL_IS_ANOTHER)


cdef void end(int kind) noexcept nogil:
    """Carries the conversation to its end, and cleans up."""
    cdef int rounds = 0
    cdef int idle = 0
    while BROKEN == KEPT and rounds < ROUNDS_MAX and idle < IDLE_MAX:
        rounds += 1
        idle = 0 if pump() else idle + 1
        check(kind)
    check(kind)
    if BROKEN == KEPT and not DISTURBED:
        check_success(kind)
    let_go(kind & OLD)
    worker_bury(&W)
    check(kind)
    demand(W.transports.live == 0, TRANSPORT_LEFT)
    demand(BUFFERS == 0, BUFFER_LEFT)
    far_end(True)
    tls_peer_free(&PEER)
    tls_peer_seed(False)


cdef int fuzz_tls(const char* data, size_t n) noexcept nogil:
    cdef int kind
    cdef size_t at = 1
    cdef int word
    if n == 0:
        return KEPT
    if n > SCRIPT_BYTES:
        n = SCRIPT_BYTES
    tls_peer_seed(True)
    if not tls_peer_ready() or (W.poll.batch is NULL and poller_open(&W.poll) < 0):
        return NO_OPENSSL
    ERR_clear_error()
    tls_peer_seed(True)
    kind = <unsigned char>data[0]
    begin(kind)
    open_tls(kind)
    while at < n and BROKEN == KEPT:
        word = <unsigned char>data[at]
        at += 1
        at += play(word & 15, word >> 4, data + at, n - at)
        check(kind)
    end(kind)
    return BROKEN


def run(str target, bytes data):
    """The number of the promise that these bytes break; 0 when all are kept."""
    return fuzz_tls(data, len(data))
