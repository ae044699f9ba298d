# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""queue: bodies; the story is in queue.pxd.

Floor      admission: may cimport ext.base, nothing else.
Takes      tickets of the worker that calls; only `queue_pick` looks at all lanes.
Gives      the oldest ticket of a lane, or the lane that holds the oldest.
Never      counts slots: that is the limiter's word.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport free
from libc.string cimport memset
from posix.stdlib cimport posix_memalign

from ext.base.atomics cimport u64_add_relaxed, u64_load_full, u64_store_full
from ext.base.debug cimport EXT_CHECK, LIVE_DOWN, LIVE_TICKET, LIVE_UP
from ext.base.faults cimport NO_MEMORY
from ext.base.links cimport links, links_append, links_empty, links_init, links_remove
from ext.base.result cimport OK

from ext.admission.ticket cimport ADMITTED, IDLE, PARKED, ticket


cdef int queue_init(queue* q, int lane_count) noexcept nogil:
    cdef int i
    cdef lane* own
    cdef void* memory = NULL
    EXT_CHECK(sizeof(lane) <= LANE_BYTES)
    q.lanes = NULL
    if posix_memalign(&memory, LANE_BYTES, <size_t>lane_count * LANE_BYTES):
        return -NO_MEMORY
    memset(memory, 0, <size_t>lane_count * LANE_BYTES)
    q.lanes = <char*>memory
    q.lane_count = lane_count
    q.next_seq = 1
    for i in range(lane_count):
        own = queue_lane(q, i)
        links_init(&own.parked)
        links_init(&own.ready)
        own.head_seq = queue_nobody()
    return OK


cdef void queue_clear(queue* q) noexcept nogil:
    free(q.lanes)
    q.lanes = NULL


cdef void publish(lane* own) noexcept nogil:
    cdef uint64_t seq = queue_nobody()
    if not links_empty(&own.parked):
        seq = (<ticket*>own.parked.next).seq
    u64_store_full(&own.head_seq, seq)


cdef void queue_park(queue* q, ticket* t) noexcept nogil:
    """The last in its lane, visible to all when this returns."""
    cdef lane* own = queue_lane(q, t.worker)
    t.seq = u64_add_relaxed(&q.next_seq, 1)
    t.state = PARKED
    LIVE_UP(LIVE_TICKET)
    links_append(&own.parked, &t.link)
    u64_store_full(&own.parked_count, own.parked_count + 1)
    publish(own)


cdef void queue_park_again(queue* q, ticket* t) noexcept nogil:
    """Parks with the number that the ticket had, before all of its lane who came later; 0 comes before all."""
    cdef lane* own = queue_lane(q, t.worker)
    cdef links* next = own.parked.next
    while next != &own.parked and (<ticket*>next).seq <= t.seq:
        next = next.next
    t.state = PARKED
    LIVE_UP(LIVE_TICKET)
    links_append(next, &t.link)
    u64_store_full(&own.parked_count, own.parked_count + 1)
    publish(own)


cdef void queue_leave(queue* q, ticket* t) noexcept nogil:
    cdef lane* own = queue_lane(q, t.worker)
    links_remove(&t.link)
    t.state = IDLE
    LIVE_DOWN(LIVE_TICKET)
    u64_store_full(&own.parked_count, own.parked_count - 1)
    publish(own)


cdef ticket* queue_pop(queue* q, int worker) noexcept nogil:
    """Moves the oldest of the lane to its ready ring, ADMITTED; NULL when nobody waits there."""
    cdef lane* own = queue_lane(q, worker)
    cdef ticket* t
    if links_empty(&own.parked):
        return NULL
    t = <ticket*>own.parked.next
    queue_leave(q, t)
    t.state = ADMITTED
    links_append(&own.ready, &t.link)
    return t


cdef int queue_pick(const queue* q) noexcept nogil:
    """The lane whose oldest ticket came first; -1 when every lane looks empty.

    Lanes that are owed as many grants as they have tickets come last: another
    grant would only be handed back.
    """
    cdef int i
    cdef int best = -1
    cdef bint best_is_spoken_for = True
    cdef bint is_spoken_for
    cdef uint64_t seq
    cdef uint64_t best_seq = 0
    cdef lane* other
    for i in range(q.lane_count):
        other = queue_lane(q, i)
        seq = u64_load_full(&other.head_seq)
        if seq == queue_nobody():
            continue
        is_spoken_for = u64_load_full(&other.owed) >= u64_load_full(&other.parked_count)
        if best < 0 or is_spoken_for < best_is_spoken_for or (
            is_spoken_for == best_is_spoken_for and seq < best_seq
        ):
            best = i
            best_seq = seq
            best_is_spoken_for = is_spoken_for
    return best
