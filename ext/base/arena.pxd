# cython: language_level=3
"""arena: memory of one exchange. It grows, and dies whole.

The first chunk comes from a slab and holds the arena itself, so an ordinary
exchange costs one allocation. Larger wishes are chunks of their own.
"""

from ext.base.slab cimport slab
from ext.base.span cimport span

cdef enum:
    ARENA_CHUNK = 4096   # an exchange, its head of about 1 KiB and 30 fields

cdef struct arena_chunk:
    arena_chunk* next    # owns: the chunk taken before this one

cdef struct arena:
    slab* home           # borrows: the worker's slab, outlives every exchange
    arena_chunk* more    # owns: chunks beyond the first
    char* at             # borrows: next free byte of the newest chunk
    char* end            # borrows: end of the newest chunk
    size_t taken_bytes   # what the chunks beyond the first cost

cdef arena* arena_new(slab* home) noexcept nogil
cdef void arena_free(arena* a) noexcept nogil
cdef void* arena_grow(arena* a, size_t n) noexcept nogil
cdef span arena_copy(arena* a, const char* at, size_t n) noexcept nogil


cdef inline void* arena_take(arena* a, size_t n) noexcept nogil:
    """`n` bytes, aligned to 8, undefined; NULL when there is no memory."""
    cdef char* p = a.at
    n = (n + 7) & ~(<size_t>7)
    if <size_t>(a.end - p) < n:
        return arena_grow(a, n)
    a.at = p + n
    return p
