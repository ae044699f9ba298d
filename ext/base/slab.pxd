# cython: language_level=3
"""slab: fixed-size objects on a free list, one slab per worker and kind.

Who may write   the worker that owns the slab, nobody else.

An object that is given back stays on the list and is handed out again, newest
first, so that it is still in the cache. What exceeds `spare_max` goes back to
the allocator: a burst does not stay in the process for ever. A debug build
keeps no list, so that AddressSanitizer sees every use after free.
"""

cdef struct slab_free:
    slab_free* next    # owns: the rest of the list

cdef struct slab:
    slab_free* free    # owns: the objects that wait
    size_t size        # bytes of one object
    int spare          # objects that wait
    int spare_max      # more than these are freed
    int live           # objects handed out

cdef void slab_init(slab* s, size_t size, int spare_max) noexcept nogil
cdef void* slab_take(slab* s) noexcept nogil
cdef void slab_give(slab* s, void* thing) noexcept nogil
cdef void slab_clear(slab* s) noexcept nogil
