# cython: language_level=3
"""limiter: decides, for one target, which requests may run now.

`slots_word` counts who runs and who waits; the queue knows who they are. A
grant is a compare-and-swap on the word (one more runs, one less waits) and is
then given to a lane: at once when it is the caller's own, else by a knock on
its worker's door. The worker picks its oldest ticket when it answers.

Always, over all lanes:   tickets parked = waiting + grants on their way
A cancel lowers both sides. When it takes the ticket that a grant is on its way
to, `waiting` may fall below zero; the grant then finds nobody and is handed
back (one less runs, one more waits), and is offered again. So a cancel never
waits for a grant, a grant never for a cancel, and no slot is ever lost.

Whoever makes room, or hands a grant back, looks afterwards whether somebody
waits, and offers. Who parks need not look: the swap that counts it as waiting
has seen that there is no room, or that others of its lane wait for grants on
their way, and whoever carries those looks afterwards.

A newcomer runs at once only when there is room and nobody waits: no barging.
The bound is exact: at most capacity + waiting_max tickets run or wait. (After
a capacity was lowered, grants that were handed back may stand in `waiting`
beyond waiting_max; the sum holds with the old capacity.)

A ticket that was admitted and finds nothing to run on is sent back to the
front of its line (limiter_return): it parks with its old number, then one less
runs and one more waits in one swap, and whoever did it offers. That is a grant
handed back by its own ticket, so the sums above hold as they stand.

Where slots belong to somebody who comes and goes, capacity moves with them:
limiter_grow adds or takes away, and whoever added offers; limiter_release_last gives a slot back that
nobody gets any more, running and capacity together.

A slot is held until the last byte of the response, or until an upgraded
connection closes. A limit that lets go at the head admits more work than the
container agreed to.

Callbacks. `on_granted` runs only inside limiter_release, limiter_release_last,
limiter_cancel, limiter_return, limiter_resize, limiter_offer and
limiter_collect, in the ticket's own worker, never inside limiter_admit or
limiter_reserve. It may call any of them again; the outermost call makes all
calls in turn, so the stack does not grow. Whoever calls one of these must
expect that other exchanges of its worker move on meanwhile, and holds a share
of the limiter until the call returns.

`knock` runs in any thread and must make `worker` call limiter_collect soon.
There is at most one knock on its way to a worker, and the limiter holds a share
of itself until it is answered.

Who may write
    slots_word     any worker, by compare-and-swap
    shares         any thread, by add
    the rest       limiter_new; the queue says its own
"""

from libc.stdint cimport int64_t, uint64_t

from ext.admission.queue cimport queue
from ext.admission.slots cimport slots_capacity, slots_running, slots_waiting
from ext.admission.ticket cimport ticket
from ext.base.atomics cimport u64_load_full

cdef enum:
    NO_WORKER = -1          # the caller is no worker: it grants by knocking only

cdef struct limiter:
    uint64_t slots_word     # ext.admission.slots
    uint64_t shares         # owners; the last one frees
    queue room              # inline: who waits
    int64_t waiting_max     # tickets that may wait while every slot is taken
    void (*knock)(limiter* l, int worker, void* knocker) noexcept nogil
    void (*on_free)(limiter* l, void* knocker) noexcept nogil   # NULL: nothing to do
    void* knocker           # borrows: until on_free has been called

cdef limiter* limiter_new(
    int64_t capacity, int64_t waiting_max, int worker_count,
    void (*knock)(limiter*, int, void*) noexcept nogil,
    void (*on_free)(limiter*, void*) noexcept nogil,
    void* knocker,
) noexcept nogil
cdef limiter* limiter_share(limiter* l) noexcept nogil
cdef void limiter_drop(limiter* l) noexcept nogil
cdef int limiter_admit(limiter* l, int worker, ticket* t, uint64_t now_ns) noexcept nogil
cdef int limiter_reserve(limiter* l, int worker, ticket* t) noexcept nogil
cdef int limiter_release(limiter* l, ticket* t) noexcept nogil
cdef int limiter_release_last(limiter* l, ticket* t) noexcept nogil
cdef int limiter_return(limiter* l, ticket* t, uint64_t now_ns) noexcept nogil
cdef int limiter_cancel(limiter* l, ticket* t) noexcept nogil
cdef int limiter_resize(limiter* l, int worker, int64_t capacity) noexcept nogil
cdef void limiter_grow(limiter* l, int64_t change) noexcept nogil
cdef void limiter_offer(limiter* l, int worker) noexcept nogil
cdef void limiter_collect(limiter* l, int worker) noexcept nogil


cdef inline int64_t limiter_pending(const limiter* l) noexcept nogil:
    """Tickets that run or wait, the caller's own included (DP-136)."""
    cdef uint64_t word = u64_load_full(&l.slots_word)
    return slots_running(word) + slots_waiting(word)


cdef inline int64_t limiter_waiting(const limiter* l) noexcept nogil:
    """Tickets that wait and have no grant on its way to them."""
    cdef int64_t waiting = slots_waiting(u64_load_full(&l.slots_word))
    return waiting if waiting > 0 else 0


cdef inline int64_t limiter_capacity(const limiter* l) noexcept nogil:
    return slots_capacity(u64_load_full(&l.slots_word))
