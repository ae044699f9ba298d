# cython: language_level=3
"""worker: what one thread owns.

A worker is the home of everything that lives on its thread: connections,
exchanges, timers, memory. Nothing in it is touched by another thread, but the
mailbox, which is made for that, and the shard, which others only read.

The floors above hang their own state onto it (`mux`, `proxy`), so that one
pointer leads a connection to all it needs.

Who is let go in the middle of a turn is put into the grave and buried at the
turn's end: a caller further up the stack may look at a flag of it once more.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ext.base.chain cimport block_pool
from ext.base.links cimport links, links_append, links_init, links_remove
from ext.base.slab cimport slab
from ext.loop.mailbox cimport mailbox
from ext.loop.poller cimport poller
from ext.loop.timers cimport timers
from ext.stats.shard cimport shard

cdef enum:
    THIRST_MS = 5            # after which a worker looks whether others have freed buffers
    SCRATCH_BYTES = 131072   # of one read: large bodies cost few system calls, and it fits into the L2 cache
    QUEUE_MARK = 65536       # a stream that has more waiting to be written asks its source to pause

cdef struct limits:
    uint32_t head_max            # bytes of a request head in all
    uint32_t response_head_max   # bytes of a response head in all
    int fields_max               # lines of a head
    bint observe                 # PENSTOCK_STRICT=observe: mend what has one reading left
    uint64_t head_timeout_ns     # for a head to be complete; 0: none
    uint64_t idle_timeout_ns     # for a connection between requests; 0: none
    uint64_t linger_timeout_ns   # for the rest of an upload after an early answer
    int64_t drain_max            # bytes of an unread upload that are read for the connection's sake
    uint32_t h2_streams_max      # concurrent streams of one connection
    uint32_t h2_window_bytes     # of a stream and of a connection
    uint32_t h2_resets_max       # resets that a peer may send in h2_period_ns beyond the streams it finished
    uint32_t h2_control_max      # PING and SETTINGS frames in h2_period_ns
    uint64_t h2_period_ns
    int64_t buffers_max          # bytes of all chains of the process
    uint64_t connect_timeout_ns  # for all attempts together

cdef struct corpse:
    links link                   # inline: first, so that a link is its corpse
    void (*bury)(corpse* c) noexcept nogil   # frees what embeds it

cdef struct errand:
    links link                   # inline: first, so that a link is its errand
    void (*run)(errand* e) noexcept nogil
    void* owner                  # borrows: whoever embeds this errand

cdef struct worker:
    int id                       # from 0
    bint reading                 # scratch is in use: who else wants to read waits for the end of the turn
    bint draining                # answers say `Connection: close`, HTTP/2 says GOAWAY
    uint64_t now_ns              # of this turn
    poller poll                  # inline
    timers wheel                 # inline
    mailbox mail                 # inline
    slab arenas                  # inline: first chunks of arenas
    slab transports              # inline
    block_pool blocks            # inline
    char* scratch                # owns: SCRATCH_BYTES that were read last; whoever wants to keep them copies them
    links errands                # inline: run at the end of the turn: what was written is handed to the kernel
    links agains                 # inline: read on in the next turn, so that one fast sender does not starve the rest
    links thirsty                # inline: read on once buffers are free
    links grave                  # inline: buried at the end of the turn
    shard* stats                 # borrows: of the engine; written here only
    const limits* bounds         # borrows: of the engine
    void* mux                    # owns: what the mux floor keeps for a worker
    void* proxy                  # owns: what the proxy floor keeps for a worker
    void* engine                 # borrows
    links conns                  # inline: all accepted connections, for drain and stop
    int64_t conn_count           # of them


cdef void worker_bury(worker* w) noexcept nogil
cdef void worker_run_errands(worker* w) noexcept nogil
cdef void worker_run_thirsty(worker* w) noexcept nogil
cdef void worker_run_agains(worker* w) noexcept nogil


cdef inline void errand_init(errand* e, void (*run)(errand*) noexcept nogil, void* owner) noexcept nogil:
    links_init(&e.link)
    e.run = run
    e.owner = owner


cdef inline void worker_soon(worker* w, errand* e) noexcept nogil:
    """At the end of this turn; once, however often it is asked."""
    links_remove(&e.link)
    links_append(&w.errands, &e.link)


cdef inline void worker_next(worker* w, errand* e) noexcept nogil:
    """In the next turn, which comes without sleeping."""
    links_remove(&e.link)
    links_append(&w.agains, &e.link)


cdef inline void worker_thirst(worker* w, errand* e) noexcept nogil:
    """When the process has buffers again; who asked first is first."""
    links_remove(&e.link)
    links_append(&w.thirsty, &e.link)


cdef inline void worker_inter(worker* w, corpse* c) noexcept nogil:
    """Buried at the end of the turn; once only."""
    links_append(&w.grave, &c.link)
