# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""transport: a worker that echoes, or calls an echo, over TCP and TLS.

Floor      testing: may cimport everything; imported only by tests.
"""

from libc.stdint cimport int64_t, uint16_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from ext.base.atomics cimport u64_load_acquire, u64_store_release
from ext.base.chain cimport block, block_at, block_pool_init, chain, chain_append, chain_clear, chain_drop, chain_init
from ext.base.clock cimport NS_PER_MS, clock_now_ns
from ext.base.links cimport links_init
from ext.base.slab cimport slab_clear, slab_init
from ext.certificates cimport TlsClientContext, TlsContext
from ext.loop.poller cimport poller_close, poller_handle, poller_open, poller_wait
from ext.loop.timers cimport timers_init
from ext.stats.shard cimport shard, shard_init
from ext.transport.listen cimport listen_open, listener, listener_start, listener_stop
from ext.transport.tcp cimport tcp_connect, tcp_connect_result
from ext.transport.tls cimport tls_accept, tls_connect
from ext.transport.transport cimport IO_AGAIN, IO_EOF, iovec, transport
from ext.transport.worker cimport QUEUE_MARK, SCRATCH_BYTES, limits, worker, worker_bury

cdef enum:
    PARTS = 8
    ROUND_MS = 20    # how late a stop may be seen
    LATE_ROUNDS = 50
    CONNECT_MS = 20000


cdef struct peer:
    transport* t     # owns
    Line* line       # borrows
    chain out        # inline: waits to be written
    bint ended       # the other side sends no more

cdef struct Line:
    worker w             # inline
    shard stats          # inline
    limits bounds        # inline
    listener door        # inline
    void* context        # borrows: of the Python object
    int64_t used
    uint64_t stop        # any thread writes
    uint64_t opened      # connections
    uint64_t closed
    uint64_t reads       # calls of transport.read
    int fault            # the last one
    int alpn             # of the last connection that said something
    bint asks            # a client: ends its side when all is written, keeps what comes
    bint cuts            # a server: ends with a reset after the first bytes
    chain got            # inline: a client's answer


cdef void peer_end(peer* p, bint hard) noexcept nogil:
    p.line.closed += 1
    chain_clear(&p.out)
    p.t.ops.close(p.t, hard)
    free(p)


cdef int peer_write(peer* p) noexcept nogil:
    """Below 0 when the connection is lost."""
    cdef iovec parts[PARTS]
    cdef block* b
    cdef int count
    cdef ssize_t put
    while p.out.len and p.t.writable:
        b = p.out.head
        count = 0
        while b is not NULL and count < PARTS:
            parts[count].iov_base = <void*>block_at(b)
            parts[count].iov_len = <size_t>(b.end - b.start)
            count += 1
            b = b.next
        put = p.t.ops.writev(p.t, parts, count)
        if put < 0:
            p.line.fault = <int>-put
            return -1
        chain_drop(&p.out, <size_t>put)
    return 0


cdef void peer_go_on(transport* t) noexcept nogil:
    cdef peer* p = <peer*>t.owner
    cdef Line* line = p.line
    cdef worker* w = t.home
    cdef ssize_t got
    if t.connecting:
        line.fault = tcp_connect_result(t)
        if line.fault:
            peer_end(p, False)
            return
    while True:
        if peer_write(p) < 0:
            peer_end(p, True)
            return
        if line.asks and p.out.len == 0 and not p.ended:
            t.ops.shut(t)
            p.ended = True
        if not t.readable or p.out.len > QUEUE_MARK:
            break
        got = t.ops.read(t, w.scratch, SCRATCH_BYTES)
        line.reads += 1
        if got == IO_AGAIN:
            continue
        if got < 0:
            line.fault = <int>-got
            peer_end(p, True)
            return
        if got == IO_EOF:
            if line.asks or p.out.len == 0:
                peer_end(p, False)
                return
            p.ended = True
            break
        line.alpn = t.alpn
        if line.cuts:
            peer_end(p, True)
            return
        chain_append(&line.got if line.asks else &p.out, w.scratch, <size_t>got)
    if p.ended and not line.asks and p.out.len == 0:
        peer_end(p, False)


cdef peer* peer_new(Line* line, transport* t) noexcept nogil:
    cdef peer* p = <peer*>calloc(1, sizeof(peer))
    p.t = t
    p.line = line
    chain_init(&p.out, &line.w.blocks)
    t.owner = p
    t.on_ready = peer_go_on
    line.opened += 1
    return p


cdef void on_accept(listener* l, transport* t) noexcept nogil:
    cdef Line* line = <Line*>l.home.engine
    peer_new(line, t)
    if line.context is not NULL:
        tls_accept(t, line.context)


cdef bint goes_on(Line* line, int* late) noexcept nogil:
    """A server that was stopped hears first of the callers that have already gone."""
    if not u64_load_acquire(&line.stop):
        return not (line.asks and line.closed)
    late[0] += 1
    return not line.asks and line.opened != line.closed and late[0] < LATE_ROUNDS


cdef void run(Line* line) noexcept nogil:
    """Until told to stop, or, for a client, until its connection has ended."""
    cdef int late = 0
    while goes_on(line, &late):
        poller_wait(&line.w.poll, ROUND_MS)
        line.w.now_ns = clock_now_ns()
        poller_handle(&line.w.poll)
        worker_bury(&line.w)


cdef class Echo:
    """One worker of its own. As a server, run() it in a thread and stop() it; as a client, call ask()."""
    cdef Line* line
    cdef object context
    cdef readonly int port

    def __cinit__(self, context=None):
        self.line = <Line*>calloc(1, sizeof(Line))
        links_init(&self.line.w.thirsty)
        links_init(&self.line.w.grave)
        timers_init(&self.line.w.wheel, clock_now_ns())
        poller_open(&self.line.w.poll)
        slab_init(&self.line.w.transports, sizeof(transport), 16)
        block_pool_init(&self.line.w.blocks, &self.line.used, 1 << 30)
        chain_init(&self.line.got, &self.line.w.blocks)
        shard_init(&self.line.stats)
        self.line.w.stats = &self.line.stats
        self.line.bounds.connect_timeout_ns = CONNECT_MS * <uint64_t>NS_PER_MS
        self.line.w.bounds = &self.line.bounds
        self.line.w.scratch = <char*>malloc(SCRATCH_BYTES)
        self.line.w.engine = self.line
        self.line.door.w.fd = -1
        self.use(context)

    def use(self, context):
        """The TLS context of connections to come; None for cleartext."""
        self.context = context
        if isinstance(context, TlsContext):
            self.line.context = (<TlsContext>context).entry.context
        elif isinstance(context, TlsClientContext):
            self.line.context = (<TlsClientContext>context).context

    def listen(self):
        """On a free port of the loopback."""
        cdef uint16_t port = 0
        cdef int fd = listen_open(b"127.0.0.1", 0, False, &port)
        self.line.door.on_accept = on_accept
        listener_start(&self.line.door, &self.line.w, fd, 0, 0)
        self.port = port
        return port

    def cut(self):
        self.line.cuts = True

    def run(self):
        with nogil:
            run(self.line)

    def stop(self):
        u64_store_release(&self.line.stop, 1)

    def ask(self, int port, bytes what, name=None):
        """Sends, ends its side, and gives all that comes until the other side ends."""
        cdef unsigned char address[16]
        cdef int fault = 0
        cdef transport* t
        cdef peer* p
        cdef const char* server = NULL
        memset(address, 0, 16)
        address[10] = address[11] = 0xff
        address[12] = 127
        address[15] = 1
        t = tcp_connect(&self.line.w, address, <uint16_t>port, &fault)
        if t is NULL:
            self.line.fault = fault
            return b""
        self.line.asks = True
        p = peer_new(self.line, t)
        chain_append(&p.out, what, len(what))
        if name is not None:
            server = name
        if self.line.context is not NULL:
            tls_connect(t, self.line.context, server)
        self.run()
        return self.answer()

    cdef bytes answer(self):
        cdef list parts = []
        cdef block* b = self.line.got.head
        while b is not NULL:
            parts.append(block_at(b)[:b.end - b.start])
            b = b.next
        return b"".join(parts)

    @property
    def seen(self):
        """Counters: connections, reads, handshakes; the last fault's number, and the last ALPN."""
        return {
            "opened": self.line.opened,
            "closed": self.line.closed,
            "reads": self.line.reads,
            "handshakes": self.line.stats.tls_handshakes[0],
            "fault": self.line.fault,
            "alpn": self.line.alpn,
            "bytes": self.line.used,
        }

    def __dealloc__(self):
        listener_stop(&self.line.door)
        poller_close(&self.line.w.poll)
        worker_bury(&self.line.w)
        chain_clear(&self.line.got)
        slab_clear(&self.line.w.transports)
        slab_clear(&self.line.w.blocks.blocks)
        free(self.line.w.scratch)
        free(self.line)
