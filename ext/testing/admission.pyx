# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""admission: limiters with many pretend workers, and a stress with real threads.

Floor      testing: may cimport everything; imported only by tests.
"""

from libc.stdint cimport int64_t, uint64_t

from ext.base.atomics cimport u64_add_full, u64_load_full, u64_load_relaxed, u64_store_full, u64_store_relaxed, u64_swap_full
from ext.base.clock cimport clock_now_ns

from ext.admission.limiter cimport (
    NO_WORKER, limiter, limiter_admit, limiter_cancel, limiter_capacity, limiter_collect, limiter_drop, limiter_new,
    limiter_pending, limiter_release, limiter_reserve, limiter_resize, limiter_share,
)
from ext.admission.queue cimport lane, queue_lane
from ext.admission.slots cimport CAPACITY_MAX, WAITING_MAX, slots_capacity, slots_running, slots_waiting
from ext.admission.ticket cimport ADMITTED, IDLE, PARKED, ticket, ticket_init

LIMITS = {"capacity_max": CAPACITY_MAX, "waiting_max": WAITING_MAX}
STATES = ("idle", "parked", "admitted")


cdef void on_knock(limiter* l, int worker, void* knocker) noexcept nogil:
    with gil:
        (<Limiter>knocker).knocks.append(worker)


cdef void on_free(limiter* l, void* knocker) noexcept nogil:
    with gil:
        (<Limiter>knocker).is_freed = True


cdef void on_granted(ticket* t, void* owner) noexcept nogil:
    with gil:
        (<Ticket>owner).tell()


cdef class Ticket:
    """One request of a pretend worker; `reaction(ticket)` runs when it is granted a slot later."""
    cdef ticket c
    cdef Limiter home
    cdef readonly object name
    cdef readonly int grants
    cdef public object reaction

    def __cinit__(self, Limiter home, name, reaction=None):
        ticket_init(&self.c, on_granted, <void*>self)
        self.home = home
        self.name = name
        self.reaction = reaction

    cdef tell(self):
        self.grants += 1
        self.home.granted.append(self.name)
        if self.reaction is not None:
            self.reaction(self)

    @property
    def state(self):
        return STATES[self.c.state]

    @property
    def parked_ns(self):
        return self.c.parked_ns


cdef class Limiter:
    """A limiter whose knocks wait in `knocks` until the test delivers them."""
    cdef limiter* c
    cdef readonly list knocks       # workers that were knocked and have not collected
    cdef readonly list granted      # names, in the order of their grants
    cdef readonly bint is_freed
    cdef readonly int workers

    def __cinit__(self, capacity, waiting_max, int workers=1):
        self.knocks = []
        self.granted = []
        self.workers = workers
        self.c = limiter_new(capacity, waiting_max, workers, on_knock, on_free, <void*>self)
        if self.c is NULL:
            raise ValueError("a number is out of range")

    def close(self):
        limiter_drop(self.c)
        self.c = NULL

    def ticket(self, name, reaction=None):
        return Ticket(self, name, reaction)

    def admit(self, int worker, Ticket t, uint64_t now_ns=0):
        cdef int got = limiter_admit(self.c, worker, &t.c, now_ns)
        return STATES[got] if got >= 0 else "full"

    def reserve(self, int worker, Ticket t):
        cdef int got = limiter_reserve(self.c, worker, &t.c)
        return STATES[got] if got >= 0 else "full"

    def release(self, Ticket t):
        return limiter_release(self.c, &t.c) == 0

    def cancel(self, Ticket t):
        return limiter_cancel(self.c, &t.c) == 0

    def resize(self, capacity, int worker=NO_WORKER):
        return limiter_resize(self.c, worker, capacity) == 0

    def collect(self, int worker):
        self.knocks.remove(worker)
        limiter_collect(self.c, worker)

    def counts(self):
        """(capacity, running, waiting)"""
        cdef uint64_t word = u64_load_full(&self.c.slots_word)
        return slots_capacity(word), slots_running(word), slots_waiting(word)

    def pending(self):
        return limiter_pending(self.c)

    def capacity(self):
        return limiter_capacity(self.c)

    def lanes(self):
        """[(tickets parked, grants owed)] by worker"""
        cdef int i
        return [
            (queue_lane(&self.c.room, i).parked_count, queue_lane(&self.c.room, i).owed) for i in range(self.workers)
        ]
