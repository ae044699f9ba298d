# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""live: bodies; the story is in live.pxd.

Floor      plan: may cimport every floor below.
"""

from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc, free

from ext.admission.limiter cimport (
    limiter,
    limiter_collect,
    limiter_drop,
    limiter_new,
    limiter_pending,
    limiter_resize,
)
from ext.loop.mailbox cimport letter, mailbox_post
from ext.upstream.endpoint cimport endpoint, endpoint_drop, endpoint_new
from ext.upstream.pool cimport pool_close_idle


cdef void on_knock(letter* l, void* reader) noexcept nogil:
    cdef knock* k = <knock*>l
    limiter_collect(k.gate, k.worker)


cdef void knock_at(limiter* l, int worker, void* context) noexcept nogil:
    """From any thread: a slot was granted to one who waits at this worker."""
    cdef knocker* k = <knocker*>context
    k.knocks[worker].gate = l
    mailbox_post(k.mails[worker], &k.knocks[worker].l)


cdef void on_limiter_free(limiter* l, void* context) noexcept nogil:
    free(context)


cdef class Live:
    def __cinit__(self, int worker_count):
        self.worker_count = worker_count
        self.limiters = {}
        self.endpoints = {}
        self.mails = <mailbox**>calloc(worker_count, sizeof(mailbox*))
        if self.mails is NULL:
            raise MemoryError()

    def __dealloc__(self):
        """After the workers have ended: nobody knocks any more."""
        for address in self.limiters.values():
            limiter_drop(<limiter*><uintptr_t>address)
        for address in self.endpoints.values():
            endpoint_drop(<endpoint*><uintptr_t>address)
        free(self.mails)

    cdef limiter* limiter_of(self, str name, long running_max, long waiting_max) except NULL:
        """The limiter of that name, resized to what is asked; made when there is none."""
        cdef limiter* l
        cdef knocker* k
        cdef int i
        if name in self.limiters:
            l = <limiter*><uintptr_t>self.limiters[name]
            limiter_resize(l, -1, running_max)
            return l
        k = <knocker*>calloc(1, sizeof(knocker) + sizeof(knock) * self.worker_count)
        if k is NULL:
            raise MemoryError()
        k.mails = self.mails
        for i in range(self.worker_count):
            k.knocks[i].l.on_read = on_knock
            k.knocks[i].worker = i
        l = limiter_new(running_max, waiting_max, self.worker_count, knock_at, on_limiter_free, k)
        if l is NULL:
            free(k)
            raise MemoryError()
        self.limiters[name] = <uintptr_t>l
        return l

    cdef endpoint* endpoint_of(self, str host, int port, int idle_max) except NULL:
        cdef endpoint* e
        key = (host, port)
        if key in self.endpoints:
            return <endpoint*><uintptr_t>self.endpoints[key]
        e = endpoint_new(host.encode(), port, idle_max, self.worker_count)
        if e is NULL:
            raise ValueError(f"{host} is no IP address")
        self.endpoints[key] = <uintptr_t>e
        return e

    cdef void close_pools(self, int worker) noexcept:
        """After the threads have ended: idle connections of that worker are closed."""
        for address in self.endpoints.values():
            pool_close_idle(&(<endpoint*><uintptr_t>address).pools[worker])

    def pending(self, str name):
        """Requests of that target that run or wait (DP-136); None without a limiter."""
        if name not in self.limiters:
            return None
        return limiter_pending(<limiter*><uintptr_t>self.limiters[name])
