# cython: language_level=3
"""engine: workers, their listeners, and the way Python talks to them."""

from libc.stdint cimport int64_t, uint64_t

from ext.live cimport Live
from ext.loop.mailbox cimport letter
from ext.mux.context cimport mux_context
from ext.mux.handoff cimport handoff_call, handoff_queue
from ext.proxy.context cimport proxy_context
from ext.proxy.plan cimport LISTENERS_MAX, proxy_plan
from ext.stats.series cimport series
from ext.stats.shard cimport shard
from ext.transport.listen cimport listener
from ext.transport.worker cimport limits, worker

cdef extern from "<pthread.h>" nogil:
    ctypedef unsigned long pthread_t

cdef extern from "<semaphore.h>" nogil:
    ctypedef struct sem_t:
        pass

cdef enum order_kind:
    ORDER_PLAN               # use this plan
    ORDER_LISTEN             # accept on this descriptor
    ORDER_CLOSE              # stop accepting on this listener
    ORDER_CLOSE_IDLE         # end connections without an exchange
    ORDER_TLS                # new connections of this listener use this context
    ORDER_DRAIN              # answers close their connections, probes are refused
    ORDER_GO_ON              # undo ORDER_DRAIN
    ORDER_ENDPOINTS          # use this set of a roster
    ORDER_HEALTH             # kubelet probes of an activator are answered so
    ORDER_STOP               # leave the loop

cdef struct order:
    letter l                 # inline: first
    order_kind kind
    int listener
    int fd
    const void* what         # borrows: until `done` was posted
    sem_t* done              # borrows: the engine's

cdef struct thread:
    worker w                 # inline: first
    mux_context mux          # inline
    proxy_context proxy      # inline
    shard counts             # inline
    listener listeners[16]   # inline: by listener id
    pthread_t id
    bint started
    bint stopping
    bint draining


cdef class Engine:
    """Worker threads, from start to stop.

    Ownership
        threads    owns    worker_count of them
        bounds     inline  what every worker is held to
        calls      inline  the queue of requests for Python
        plan       shares  the newest one, kept until all workers have a newer
    """
    cdef thread* threads
    cdef readonly int worker_count
    cdef limits bounds
    cdef int64_t buffers_used
    cdef handoff_queue calls
    cdef sem_t ordered       # inline: posted for each order that was obeyed
    cdef readonly Live live
    cdef object plan
    cdef dict contexts
    cdef bint running

    cdef void take_bounds(self, dict bounds) except *
    cdef void prepare(self, thread* t, int id) except *
    cdef void prepare_mux(self, thread* t) except *
    cdef void prepare_proxy(self, thread* t, int labels_max, uint64_t journal_bytes) except *
    cdef void clear(self, thread* t) noexcept
    cdef void end(self, thread* t) noexcept
    cdef void tell(self, order_kind kind, int listener, const void* what, int* fds) except *


cdef class Call:
    """A request that came for Python; answer it once.

    Ownership
        c        shares  until it was answered
        engine   shares  the answer goes to one of its workers
    """
    cdef Engine engine
    cdef handoff_call* c
