# cython: language_level=3
"""poller: epoll, edge-triggered.

A descriptor is registered once, for everything, and never changed: who cannot
go on now remembers it (`readable`, `writable` in the transport) and asks again
after the next edge. So a request costs no epoll_ctl(2).

A watch that has been closed may still stand in the batch that epoll_wait(2)
gave; `on_ready` is NULL then, and the memory lives until the turn has ended.

In one batch, edges that say "the peer has closed" on watches marked `eager`
go first: a pooled connection that the app closed is gone before a request of
the same batch would be put on it.
"""

from libc.stdint cimport uint32_t

cdef enum:
    READY_IN = 1
    READY_OUT = 4
    READY_ERR = 8
    READY_HUP = 16
    READY_RDHUP = 8192
    EVENTS_MAX = 256      # of one turn: bounds how long one batch can last

cdef struct watch:
    int fd
    bint eager           # closing goes before everything else in a batch
    void (*on_ready)(watch* w, uint32_t ready) noexcept nogil   # NULL once closed
    void* owner          # borrows: whoever embeds this watch

cdef struct poller:
    int fd               # owns
    int batch_count      # events of the batch that is being handled
    void* batch          # owns: EVENTS_MAX epoll events

cdef int poller_open(poller* p) noexcept nogil
cdef void poller_close(poller* p) noexcept nogil
cdef int poller_add(poller* p, watch* w) noexcept nogil
cdef int poller_add_level(poller* p, watch* w) noexcept nogil
cdef void poller_remove(poller* p, watch* w) noexcept nogil
cdef void poller_wait(poller* p, int timeout_ms) noexcept nogil
cdef void poller_handle(poller* p) noexcept nogil
