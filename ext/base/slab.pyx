# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""slab: bodies; the story is in slab.pxd.

Floor      base: may cimport nothing outside of base.
"""

from libc.stdlib cimport free, malloc

from ext.base.debug cimport EXT_IS_DEBUG


cdef void slab_init(slab* s, size_t size, int spare_max) noexcept nogil:
    s.free = NULL
    s.size = size
    s.spare = 0
    s.spare_max = 0 if EXT_IS_DEBUG else spare_max
    s.live = 0


cdef void* slab_take(slab* s) noexcept nogil:
    """An object with undefined content; NULL when there is no memory."""
    cdef slab_free* f = s.free
    if f is NULL:
        f = <slab_free*>malloc(s.size)
        if f is NULL:
            return NULL
    else:
        s.free = f.next
        s.spare -= 1
    s.live += 1
    return f


cdef void slab_give(slab* s, void* thing) noexcept nogil:
    cdef slab_free* f = <slab_free*>thing
    s.live -= 1
    if s.spare >= s.spare_max:
        free(f)
        return
    f.next = s.free
    s.free = f
    s.spare += 1


cdef void slab_clear(slab* s) noexcept nogil:
    """Frees what waits; what is handed out stays valid."""
    cdef slab_free* f
    while s.free is not NULL:
        f = s.free
        s.free = f.next
        free(f)
    s.spare = 0
