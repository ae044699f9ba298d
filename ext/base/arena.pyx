# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""arena: bodies; the story is in arena.pxd.

Floor      base: may cimport nothing outside of base.
"""

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from ext.base.debug cimport LIVE_ARENA, LIVE_DOWN, LIVE_UP
from ext.base.slab cimport slab_give, slab_take


cdef arena* arena_new(slab* home) noexcept nogil:
    """`home` hands out objects of ARENA_CHUNK bytes; NULL when there is no memory."""
    cdef arena* a = <arena*>slab_take(home)
    if a is NULL:
        return NULL
    LIVE_UP(LIVE_ARENA)
    a.home = home
    a.more = NULL
    a.at = <char*>a + ((sizeof(arena) + 15) & ~(<size_t>15))
    a.end = <char*>a + ARENA_CHUNK
    a.taken_bytes = 0
    return a


cdef void arena_free(arena* a) noexcept nogil:
    cdef arena_chunk* chunk
    if a is NULL:
        return
    while a.more is not NULL:
        chunk = a.more
        a.more = chunk.next
        free(chunk)
    LIVE_DOWN(LIVE_ARENA)
    slab_give(a.home, a)


cdef void* arena_grow(arena* a, size_t n) noexcept nogil:
    """A new chunk; a wish above half a chunk gets one of its own and leaves the current one in use."""
    cdef size_t size = sizeof(arena_chunk) + 8
    cdef bint alone = n > ARENA_CHUNK // 2
    size += n if alone else ARENA_CHUNK
    cdef arena_chunk* chunk = <arena_chunk*>malloc(size)
    if chunk is NULL:
        return NULL
    chunk.next = a.more
    a.more = chunk
    a.taken_bytes += size
    cdef char* start = <char*>chunk + sizeof(arena_chunk) + 8
    if not alone:
        a.at = start + n
        a.end = <char*>chunk + size
    return start


cdef span arena_copy(arena* a, const char* at, size_t n) noexcept nogil:
    """The same bytes, kept as long as the arena; `at` is NULL when there is no memory."""
    cdef span s
    s.at = <char*>arena_take(a, n)
    s.len = n
    if s.at is not NULL and n:
        memcpy(<char*>s.at, at, n)
    return s
