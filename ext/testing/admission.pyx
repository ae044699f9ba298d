# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""admission: limiters with many pretend workers, and a stress with real threads.

Floor      testing: may cimport everything; imported only by tests.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memset

from ext.base.atomics cimport u64_add_full, u64_load_full, u64_store_full, u64_swap_full
from ext.base.clock cimport clock_now_ns

from ext.admission.limiter cimport (
    NO_WORKER, limiter, limiter_admit, limiter_cancel, limiter_capacity, limiter_collect, limiter_drop, limiter_new,
    limiter_pending, limiter_release, limiter_release_last, limiter_reserve, limiter_resize, limiter_return,
)
from ext.admission.queue cimport queue_lane
from ext.admission.slots cimport CAPACITY_MAX, WAITING_MAX, slots_capacity, slots_running, slots_waiting
from ext.admission.ticket cimport ADMITTED, PARKED, ticket, ticket_init

cdef extern from "sched.h" nogil:
    int sched_yield()

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
    def seq(self):
        return self.c.seq

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

    def release_last(self, Ticket t):
        return limiter_release_last(self.c, &t.c) == 0

    def send_back(self, Ticket t, uint64_t now_ns=0):
        return limiter_return(self.c, &t.c, now_ns) == 0

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


cdef enum:
    STRESS_WORKERS = 8
    STRESS_TICKETS = 6

cdef enum stress_mode:
    STRESS_WORK = 0        # admit, release, cancel, answer knocks
    STRESS_FREEZE = 1      # answer knocks only
    STRESS_STOP = 2        # give everything back, then return

cdef struct stress_worker:
    stress* home           # borrows: the Stress that holds it
    int number
    uint64_t knocked       # a knock waits; written by all
    uint64_t seed
    uint64_t held          # tickets that hold a slot, as of the last turn
    uint64_t parked        # tickets that wait, as of the last turn
    uint64_t turns
    ticket tickets[6]      # inline

cdef struct stress:
    limiter* l             # owns
    uint64_t mode          # stress_mode; written by the thread that tests
    uint64_t inside        # who holds a slot now, by the count of those who do
    uint64_t inside_max    # more than this is an error
    uint64_t errors        # knocks on a knocked door, or too many inside
    stress_worker workers[8]    # inline


cdef void stress_knock(limiter* l, int worker, void* knocker) noexcept nogil:
    cdef stress* s = <stress*>knocker
    if u64_swap_full(&s.workers[worker].knocked, 1):
        u64_add_full(&s.errors, 1)


cdef void stress_enter(ticket* t, void* owner) noexcept nogil:
    cdef stress_worker* w = <stress_worker*>owner
    if u64_add_full(&w.home.inside, 1) >= w.home.inside_max:
        u64_add_full(&w.home.errors, 1)


cdef uint64_t stress_random(stress_worker* w) noexcept nogil:
    """xorshift64"""
    w.seed ^= w.seed << 13
    w.seed ^= w.seed >> 7
    w.seed ^= w.seed << 17
    return w.seed


cdef void stress_leave(stress_worker* w, ticket* t) noexcept nogil:
    if t.state == ADMITTED:
        u64_add_full(&w.home.inside, -1)
    limiter_cancel(w.home.l, t)


cdef void stress_touch(stress_worker* w, ticket* t) noexcept nogil:
    """One thing that may happen to this ticket now."""
    cdef uint64_t chance = stress_random(w) >> 32
    if t.state == ADMITTED or t.state == PARKED:
        if t.state == ADMITTED or chance % 8 == 0:
            stress_leave(w, t)
    elif chance % 4 == 0:
        if limiter_reserve(w.home.l, w.number, t) == ADMITTED:
            stress_enter(t, w)
    elif limiter_admit(w.home.l, w.number, t, 0) == ADMITTED:
        stress_enter(t, w)


cdef void stress_turn(stress_worker* w, uint64_t mode) noexcept nogil:
    cdef uint64_t held = 0
    cdef uint64_t parked = 0
    cdef int i
    if u64_swap_full(&w.knocked, 0):
        limiter_collect(w.home.l, w.number)
    if mode == STRESS_WORK:
        stress_touch(w, &w.tickets[(stress_random(w) >> 20) % <uint64_t>STRESS_TICKETS])
    for i in range(<int>STRESS_TICKETS):
        if mode == STRESS_STOP:
            stress_leave(w, &w.tickets[i])
        held += w.tickets[i].state == ADMITTED
        parked += w.tickets[i].state == PARKED
    u64_store_full(&w.held, held)
    u64_store_full(&w.parked, parked)
    w.turns += 1


cdef bint stress_is_over(const stress* s) noexcept nogil:
    cdef uint64_t word = u64_load_full(&s.l.slots_word)
    return slots_running(word) == 0 and slots_waiting(word) == 0


cdef class Stress:
    """A limiter and real threads that use it at random; each calls `run` with its own number."""
    cdef stress c
    cdef readonly int workers

    def __cinit__(self, int workers, capacity, waiting_max):
        cdef stress_worker* w
        cdef int i, j
        memset(&self.c, 0, sizeof(stress))
        self.workers = workers
        self.c.inside_max = capacity
        self.c.l = limiter_new(capacity, waiting_max, workers, stress_knock, NULL, &self.c)
        for i in range(workers):
            w = &self.c.workers[i]
            w.home = &self.c
            w.number = i
            w.seed = 0x1234567 + 977 * i
            for j in range(<int>STRESS_TICKETS):
                ticket_init(&w.tickets[j], stress_enter, w)

    def __dealloc__(self):
        limiter_drop(self.c.l)

    def run(self, int number):
        """Returns the turns that it took, once `stop` was called and everything has been given back."""
        cdef stress_worker* w = &self.c.workers[number]
        cdef uint64_t mode = STRESS_WORK
        with nogil:
            while mode != STRESS_STOP or u64_load_full(&w.knocked) or not stress_is_over(&self.c):
                mode = u64_load_full(&self.c.mode)
                stress_turn(w, mode)
                if mode != STRESS_WORK:
                    sched_yield()
        return w.turns

    def resize(self, int times):
        """Changes the capacity that often, between none and the most, and leaves it at the most."""
        cdef int i
        with nogil:
            for i in range(times):
                limiter_resize(self.c.l, NO_WORKER, i % (self.c.inside_max + 1))
                sched_yield()
            limiter_resize(self.c.l, NO_WORKER, self.c.inside_max)

    def freeze(self):
        """Waits until nothing is on its way; gives (capacity, running, waiting), or None after ten seconds."""
        cdef uint64_t until_ns = clock_now_ns() + 10000000000ULL
        cdef uint64_t word, held, parked
        cdef int i
        u64_store_full(&self.c.mode, STRESS_FREEZE)
        while clock_now_ns() < until_ns:
            held = 0
            parked = 0
            with nogil:
                sched_yield()
            for i in range(self.workers):
                held += u64_load_full(&self.c.workers[i].held)
                parked += u64_load_full(&self.c.workers[i].parked)
            word = u64_load_full(&self.c.l.slots_word)
            if slots_running(word) == <int>held and slots_waiting(word) == <int>parked:
                return slots_capacity(word), slots_running(word), slots_waiting(word)
        return None

    def work(self):
        u64_store_full(&self.c.mode, STRESS_WORK)

    def stop(self):
        u64_store_full(&self.c.mode, STRESS_STOP)

    def errors(self):
        return u64_load_full(&self.c.errors)


def cost_ns(int times):
    """Mean time of an admission with its release, without contention, in ns."""
    cdef limiter* l = limiter_new(10, 100, 1, stress_knock, NULL, NULL)
    cdef ticket t
    cdef int _i
    cdef uint64_t began_ns = clock_now_ns()
    ticket_init(&t, stress_enter, NULL)
    with nogil:
        for _i in range(times):
            limiter_admit(l, 0, &t, 0)
            limiter_release(l, &t)
    limiter_drop(l)
    return (clock_now_ns() - began_ns) / times
