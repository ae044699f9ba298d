# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""worker: bodies; the story is in worker.pxd.

Floor      transport: may cimport ext.base, ext.stats, ext.loop.
"""

from ext.base.chain cimport chain_is_spent
from ext.base.links cimport links, links_empty, links_init, links_move_all, links_remove


cdef enum:
    THIRSTY_MAX = 64         # of one turn


cdef void run_all(links* ring) noexcept nogil:
    cdef links* l
    while not links_empty(ring):
        l = ring.next
        links_remove(l)
        (<errand*>l).run(<errand*>l)


cdef void worker_run_errands(worker* w) noexcept nogil:
    """An errand may ask for another, which runs as well."""
    run_all(&w.errands)


cdef void worker_run_agains(worker* w) noexcept nogil:
    """What the last turn left; what asks again now waits for the next turn."""
    cdef links now
    links_init(&now)
    links_move_all(&w.agains, &now)
    run_all(&now)


cdef void worker_run_thirsty(worker* w) noexcept nogil:
    """As long as there are buffers; what thirsts again goes to the end of the line."""
    cdef links* l
    cdef int count = 0
    while not links_empty(&w.thirsty) and not chain_is_spent(&w.blocks) and count < THIRSTY_MAX:
        l = w.thirsty.next
        links_remove(l)
        (<errand*>l).run(<errand*>l)
        count += 1


cdef void worker_bury(worker* w) noexcept nogil:
    """Frees what was let go in this turn; burying may let go of more."""
    cdef links* l
    while not links_empty(&w.grave):
        l = w.grave.next
        links_remove(l)
        (<corpse*>l).bury(<corpse*>l)
