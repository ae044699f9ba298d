# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""limiter: bodies; the story is in limiter.pxd.

Floor      admission: may cimport ext.base, nothing else.
Takes      a ticket whose request head is parsed; its body may still be arriving.
Gives      ADMITTED, PARKED (on_granted follows), or -WAITING_ROOM_FULL.
Never      allocates but in limiter_new, blocks, reads a clock, or knows what HTTP is.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free, malloc

from ext.base.atomics cimport u64_add_full, u64_cas_full, u64_load_full
from ext.base.debug cimport EXT_CHECK
from ext.base.faults cimport WAITING_ROOM_FULL
from ext.base.links cimport links_empty, links_remove
from ext.base.result cimport DONE, OK

from ext.admission.queue cimport (
    WORKERS_MAX, lane, queue_clear, queue_init, queue_lane, queue_leave, queue_park, queue_park_again, queue_pick,
    queue_pop,
)
from ext.admission.slots cimport (
    CAPACITY_MAX, WAITING_MAX, slots_add, slots_capacity, slots_grown, slots_has_room, slots_of, slots_resized,
    slots_waiting,
)
from ext.admission.ticket cimport ADMITTED, IDLE, PARKED, ticket


cdef limiter* limiter_new(
    int64_t capacity, int64_t waiting_max, int worker_count,
    void (*knock)(limiter*, int, void*) noexcept nogil,
    void (*on_free)(limiter*, void*) noexcept nogil,
    void* knocker,
) noexcept nogil:
    """One share is the caller's; NULL when a number is out of range or there is no memory (DP-096).

    capacity      0 to CAPACITY_MAX requests at once; 0 blocks everybody
    waiting_max   1 to WAITING_MAX requests
    worker_count  1 to WORKERS_MAX; also 1 when all callers are one thread
    """
    cdef limiter* l
    if not (0 <= capacity <= CAPACITY_MAX and 1 <= waiting_max <= WAITING_MAX and 1 <= worker_count <= WORKERS_MAX):
        return NULL
    l = <limiter*>malloc(sizeof(limiter))
    if l is NULL:
        return NULL
    if queue_init(&l.room, worker_count) < 0:
        free(l)
        return NULL
    l.slots_word = slots_of(capacity)
    l.shares = 1
    l.waiting_max = waiting_max
    l.knock = knock
    l.on_free = on_free
    l.knocker = knocker
    return l


cdef limiter* limiter_share(limiter* l) noexcept nogil:
    u64_add_full(&l.shares, 1)
    return l


cdef void limiter_drop(limiter* l) noexcept nogil:
    """The last share frees; nobody may run or wait then."""
    if u64_add_full(&l.shares, -1) != 1:
        return
    EXT_CHECK(limiter_pending(l) == 0)
    if l.on_free is not NULL:
        l.on_free(l, l.knocker)
    queue_clear(&l.room)
    free(l)


cdef void slots_change(limiter* l, int running, int waiting) noexcept nogil:
    cdef uint64_t word = u64_load_full(&l.slots_word)
    while not u64_cas_full(&l.slots_word, &word, slots_add(word, running, waiting)):
        pass


cdef void offer(limiter* l, int worker) noexcept nogil:
    """Grants until there is no room or nobody waits; `worker` takes its own tickets at once."""
    cdef uint64_t word = u64_load_full(&l.slots_word)
    cdef int chosen
    while slots_waiting(word) > 0 and slots_has_room(word):
        if not u64_cas_full(&l.slots_word, &word, slots_add(word, 1, -1)):
            continue
        chosen = queue_pick(&l.room)
        if chosen < 0 or (chosen == worker and queue_pop(&l.room, worker) is NULL):
            # Between the swap and the look, others have served or taken away everybody.
            slots_change(l, -1, 1)
        elif chosen != worker and u64_add_full(&queue_lane(&l.room, chosen).owed, 1) == 0:
            limiter_share(l)
            l.knock(l, chosen, l.knocker)
        word = u64_load_full(&l.slots_word)


cdef void call_ready(limiter* l, int worker) noexcept nogil:
    """Tells the worker's granted tickets, unless a caller further up the stack is at it."""
    cdef lane* own
    cdef ticket* t
    if worker < 0:
        return
    own = queue_lane(&l.room, worker)
    if own.calling:
        return
    own.calling = True
    while not links_empty(&own.ready):
        t = <ticket*>own.ready.next
        links_remove(&t.link)
        t.on_granted(t, t.owner)
    own.calling = False


cdef int limiter_reserve(limiter* l, int worker, ticket* t) noexcept nogil:
    """ADMITTED when a slot is free and nobody waits for it, else -WAITING_ROOM_FULL; never parks (DP-097)."""
    cdef uint64_t word = u64_load_full(&l.slots_word)
    EXT_CHECK(t.state == IDLE)
    while slots_waiting(word) <= 0 and slots_has_room(word):
        if u64_cas_full(&l.slots_word, &word, slots_add(word, 1, 0)):
            t.worker = worker
            t.state = ADMITTED
            return ADMITTED
    return -WAITING_ROOM_FULL


cdef int limiter_admit(limiter* l, int worker, ticket* t, uint64_t now_ns) noexcept nogil:
    """ADMITTED; PARKED, and on_granted follows; or -WAITING_ROOM_FULL. The ticket is IDLE before."""
    cdef bint is_first = links_empty(&queue_lane(&l.room, worker).parked)
    if is_first and limiter_reserve(l, worker, t) == ADMITTED:
        return ADMITTED
    if slots_waiting(u64_load_full(&l.slots_word)) >= l.waiting_max:
        return -WAITING_ROOM_FULL
    t.worker = worker
    t.parked_ns = now_ns
    return park(l, t, is_first)


cdef int park(limiter* l, ticket* t, bint is_first) noexcept nogil:
    """Publishes the ticket, then counts it, unless the word has room or is full by now."""
    cdef uint64_t word
    queue_park(&l.room, t)
    word = u64_load_full(&l.slots_word)
    while True:
        if slots_waiting(word) >= l.waiting_max:
            queue_leave(&l.room, t)
            return -WAITING_ROOM_FULL
        if is_first and slots_waiting(word) <= 0 and slots_has_room(word):
            if u64_cas_full(&l.slots_word, &word, slots_add(word, 1, 0)):
                queue_leave(&l.room, t)
                t.state = ADMITTED
                return ADMITTED
        elif u64_cas_full(&l.slots_word, &word, slots_add(word, 0, 1)):
            # No offer: if there is room now, a grant is on its way, and who carries it looks again.
            return PARKED


cdef int limiter_release(limiter* l, ticket* t) noexcept nogil:
    """Gives the slot back, and grants; DONE, and nothing happens, when the ticket holds none (DP-096)."""
    cdef int worker = t.worker
    if t.state != ADMITTED:
        return DONE
    links_remove(&t.link)
    t.state = IDLE
    slots_change(l, -1, 0)
    offer(l, worker)
    call_ready(l, worker)
    return OK


cdef int limiter_release_last(limiter* l, ticket* t) noexcept nogil:
    """Gives back a slot that goes away with whom it belonged to; DONE when the ticket holds none."""
    cdef uint64_t word = u64_load_full(&l.slots_word)
    cdef int worker = t.worker
    if t.state != ADMITTED:
        return DONE
    links_remove(&t.link)
    t.state = IDLE
    while not u64_cas_full(&l.slots_word, &word, slots_grown(slots_add(word, -1, 0), -1)):
        pass
    call_ready(l, worker)
    return OK


cdef int limiter_return(limiter* l, ticket* t, uint64_t now_ns) noexcept nogil:
    """Gives the slot back and waits for another, before all who came later; DONE when the ticket holds none.

    on_granted may run before this returns, the ticket's own too.
    """
    cdef int worker = t.worker
    if t.state != ADMITTED:
        return DONE
    links_remove(&t.link)
    t.parked_ns = now_ns
    queue_park_again(&l.room, t)
    slots_change(l, -1, 1)
    offer(l, worker)
    call_ready(l, worker)
    return OK


cdef int limiter_cancel(limiter* l, ticket* t) noexcept nogil:
    """Gives back what the ticket has, place or slot; DONE when it has neither. It is the caller's again."""
    if t.state != PARKED:
        return limiter_release(l, t)
    # Uncounted before it is out of sight: whoever sees somebody waiting finds a lane.
    slots_change(l, 0, -1)
    queue_leave(&l.room, t)
    return OK


cdef int limiter_resize(limiter* l, int worker, int64_t capacity) noexcept nogil:
    """A new capacity, at once; who runs is not interrupted. Any thread, with NO_WORKER.

    DONE, and nothing changes, when it is outside 0 to CAPACITY_MAX.
    """
    cdef uint64_t word = u64_load_full(&l.slots_word)
    if not 0 <= capacity <= CAPACITY_MAX:
        return DONE
    while not u64_cas_full(&l.slots_word, &word, slots_resized(word, capacity)):
        pass
    offer(l, worker)
    call_ready(l, worker)
    return OK


cdef void limiter_grow(limiter* l, int64_t change) noexcept nogil:
    """Adds to the capacity, or takes away what was added before. Who adds calls limiter_offer afterwards."""
    cdef uint64_t word = u64_load_full(&l.slots_word)
    while not u64_cas_full(&l.slots_word, &word, slots_grown(word, change)):
        pass
    EXT_CHECK(0 <= slots_capacity(word) + change <= CAPACITY_MAX)


cdef void limiter_offer(limiter* l, int worker) noexcept nogil:
    """Grants what there is room for. Any thread, with NO_WORKER."""
    offer(l, worker)
    call_ready(l, worker)


cdef void limiter_collect(limiter* l, int worker) noexcept nogil:
    """Answers a knock, once for each: takes the grants that this worker is owed, and tells their tickets."""
    cdef lane* own = queue_lane(&l.room, worker)
    cdef uint64_t owed = u64_load_full(&own.owed)
    cdef uint64_t _i
    EXT_CHECK(owed > 0)
    while owed:
        # Subtracted last: a knock is on its way until the count has been back at zero.
        for _i in range(owed):
            if queue_pop(&l.room, worker) is NULL:
                slots_change(l, -1, 1)
        owed = u64_add_full(&own.owed, -owed) - owed
    offer(l, worker)
    call_ready(l, worker)
    limiter_drop(l)
