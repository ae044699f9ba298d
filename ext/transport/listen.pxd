# cython: language_level=3
"""listen: a listening socket and its accepting.

Listening sockets are watched level-triggered: one accept(2) a turn costs no
extra call that only says "nothing more". When a turn finds more waiting, the
next one takes twice as many. Without descriptors a listener rests for 100 ms,
so that it does not spin.
"""

from libc.stdint cimport uint16_t

from ext.loop.poller cimport watch
from ext.loop.timers cimport timer
from ext.transport.transport cimport tls_entry, transport
from ext.transport.worker cimport worker

cdef struct listener:
    watch w                  # inline: fd owned
    worker* home             # borrows
    int id                   # of the plan: which port this is
    int label                # listener_kind of the statistics
    const tls_entry* tls     # borrows: of the engine; NULL for cleartext; swapped by the worker itself
    timer rest               # inline: runs while the listener rests
    int burst                # accepts of the next turn
    bint resting
    # A connection was accepted; its transport is registered already.
    void (*on_accept)(listener* l, transport* t) noexcept nogil

cdef int listen_open(const char* host, uint16_t port, bint shared, uint16_t* bound) noexcept nogil
cdef int listener_start(listener* l, worker* w, int fd, int id, int label) noexcept nogil
cdef void listener_stop(listener* l) noexcept nogil
