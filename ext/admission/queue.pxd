# cython: language_level=3
"""queue: the waiting room of one limiter, a lane for each worker.

A lane's ring is its worker's alone, so parking, leaving and popping take no
lock. Others see three words of it: the number of its oldest ticket, how many
stand in it, and how many grants it is owed. Numbers come from one counter, so
the lane with the smallest one holds who came first.

Who may write
    parked, ready, calling     the lane's worker
    head_seq, parked_count     the lane's worker; read by all
    owed                       any worker, by add
    next_seq                   any worker, by add

The order is the promise of the whole: a ticket is published before the limiter
counts it as waiting, and it stops being counted before it is taken out of
sight. So whoever sees `waiting` above zero finds a lane. With several grants
on their way at once, first come first served holds exactly within a worker,
and to within those grants across workers: a second grant may go to the lane
whose oldest ticket is spoken for already.
"""

from libc.stdint cimport uint64_t

from ext.admission.ticket cimport ticket
from ext.base.links cimport links

cdef enum:
    WORKERS_MAX = 64
    LANE_BYTES = 128      # two cache lines: what others write is not where the owner works

cdef struct lane:
    links parked          # inline: who waits, oldest first
    links ready           # inline: who was granted a slot and has not been called
    bint calling          # on_granted runs further down the stack
    uint64_t head_seq     # number of the oldest who waits; queue_nobody() when the lane is empty
    uint64_t parked_count
    uint64_t owed         # grants decided by others, not yet collected

cdef struct queue:
    char* lanes           # owns: lane_count times LANE_BYTES, aligned to a cache line
    int lane_count
    uint64_t next_seq

cdef int queue_init(queue* q, int lane_count) noexcept nogil
cdef void queue_clear(queue* q) noexcept nogil
cdef void queue_park(queue* q, ticket* t) noexcept nogil
cdef void queue_park_again(queue* q, ticket* t) noexcept nogil
cdef void queue_leave(queue* q, ticket* t) noexcept nogil
cdef ticket* queue_pop(queue* q, int worker) noexcept nogil
cdef int queue_pick(const queue* q) noexcept nogil


cdef inline lane* queue_lane(const queue* q, int worker) noexcept nogil:
    return <lane*>(q.lanes + <size_t>worker * LANE_BYTES)


cdef inline uint64_t queue_nobody() noexcept nogil:
    """Larger than every ticket's number."""
    return ~<uint64_t>0
