# cython: language_level=3
"""client: a connection of ours to an upstream, whatever its protocol.

The pool sees only this: how many streams fit, how many run, and since when
none does. `on_change` tells the pool that a stream ended, that the peer's
limit changed, or that the connection is gone.

Life    a client that is not usable takes no new stream; when its last one has
        ended it closes itself and says so once more, with `closed` set. The
        memory lives until the end of that turn.
"""

from libc.stdint cimport int64_t, uint64_t

from ext.base.links cimport links
from ext.mux.stream cimport stream
from ext.transport.transport cimport transport
from ext.transport.worker cimport worker

cdef struct client_ops:
    stream* (*open)(client* c) noexcept nogil        # NULL when none fits or there is no memory
    void (*close)(client* c) noexcept nogil          # at once; its streams get a fault

cdef struct client:
    links pool_link          # inline: first, so that a link is its client
    const client_ops* ops    # borrows: a static table of the mux
    transport* t             # owns
    worker* home             # borrows
    void* pool               # borrows: whoever keeps it
    void (*on_change)(client* c) noexcept nogil
    int running              # streams that are open
    int capacity             # streams that fit
    bint usable              # new streams may be opened
    bint closed
    bint used                # it has carried a stream before
    bint shared              # carries many streams at once, and so is lent while others use it
    uint64_t idle_since_ns   # when the last stream ended; 0 while one runs
    int64_t keep_alive_ns    # what the peer's Keep-Alive promised; 0 when it said nothing
