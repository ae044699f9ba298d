# cython: language_level=3
"""ticket: one request's place, first in the waiting room and then in a slot.

    IDLE ──admit──► PARKED ──grant──► ADMITTED ──release──► IDLE
      │               └────cancel────────────────────────────▲
      └──admit, reserve──────────────► ADMITTED

Every arrow is walked by the worker that owns the ticket. What other workers
decide is how many tickets of a lane may go, never which: so a cancel races
with nobody, and an abandoned ticket leaves at once.

Who may write   its owner's worker, nobody else.
"""

from libc.stdint cimport uint64_t

from ext.base.links cimport links, links_init

cdef enum ticket_state:
    IDLE = 0            # holds nothing
    PARKED = 1          # stands in its worker's lane
    ADMITTED = 2        # holds a slot

cdef struct ticket:
    links link          # inline: first, so that a link is its ticket
    uint64_t seq        # place in the line of all workers
    uint64_t parked_ns  # when it was parked; 0 when it never was
    int worker          # whose lane it stands in
    int state           # ticket_state
    void (*on_granted)(ticket* t, void* owner) noexcept nogil
    void* owner         # borrows: whoever embeds this ticket


cdef inline void ticket_init(
    ticket* t, void (*on_granted)(ticket*, void*) noexcept nogil, void* owner
) noexcept nogil:
    links_init(&t.link)
    t.seq = 0
    t.parked_ns = 0
    t.worker = 0
    t.state = IDLE
    t.on_granted = on_granted
    t.owner = owner
