# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""worker: bodies; the story is in worker.pxd.

Floor      transport: may cimport ext.base, ext.stats, ext.loop.
"""

from ext.base.links cimport links, links_empty, links_remove


cdef void worker_flush(worker* w) noexcept nogil:
    """Hands over what this turn has written."""
    cdef links* l
    while not links_empty(&w.dirties):
        l = w.dirties.next
        links_remove(l)
        (<dirty*>l).flush(<dirty*>l)


cdef void worker_bury(worker* w) noexcept nogil:
    """Frees what was let go in this turn; burying may let go of more."""
    cdef links* l
    while not links_empty(&w.grave):
        l = w.grave.next
        links_remove(l)
        (<corpse*>l).bury(<corpse*>l)
