# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""directory: bodies; the story is in directory.pxd.

Floor      proxy: may cimport every floor below.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp

from ext.base.atomics cimport u64_add_full
from ext.base.span cimport span_of
from ext.upstream.target cimport target_drop, target_share

cdef uint64_t FNV_START = 14695981039346656037ULL
cdef uint64_t FNV_STEP = 1099511628211ULL


cdef directory* directory_new(uint64_t count_max) noexcept nogil:
    """Empty, with room for that many targets; NULL without memory. One share."""
    cdef directory* d
    cdef uint64_t rows = 8
    while rows < 2 * count_max:
        rows *= 2
    d = <directory*>calloc(1, sizeof(directory) + sizeof(target*) * rows)
    if d is not NULL:
        d.shares = 1
        d.mask = rows - 1
    return d


cdef directory* directory_share(directory* d) noexcept nogil:
    u64_add_full(&d.shares, 1)
    return d


cdef void directory_drop(directory* d) noexcept nogil:
    cdef uint64_t i
    if u64_add_full(&d.shares, <uint64_t>-1) != 1:
        return
    for i in range(d.mask + 1):
        if d.rows[i] is not NULL:
            target_drop(d.rows[i])
    free(d)


cdef uint64_t hashed(uint64_t hash, span s) noexcept nogil:
    """FNV-1a, its upper half folded in: the lower bits choose the row."""
    cdef size_t i
    for i in range(s.len):
        hash = (hash ^ <uint8_t>s.at[i]) * FNV_STEP
    return hash


cdef inline uint64_t folded(uint64_t hash) noexcept nogil:
    return hash ^ (hash >> 32)


cdef void directory_put(directory* d, target* t) noexcept nogil:
    """Shares the target; its name is not in there yet, and there is room."""
    cdef uint64_t i = folded(hashed(FNV_START, span_of(t.live.name, t.live.name_len))) & d.mask
    while d.rows[i] is not NULL:
        i = (i + 1) & d.mask
    d.rows[i] = target_share(t)
    d.count += 1


cdef target* directory_find(const directory* d, span space, span name) noexcept nogil:
    """The target of that namespace and name; NULL when there is none. The directory keeps its share."""
    cdef uint64_t hash = hashed(hashed(hashed(FNV_START, space), span_of(b"/", 1)), name)
    cdef uint64_t i = folded(hash) & d.mask
    cdef target* t = d.rows[i]
    while t is not NULL:
        if (
            t.live.name_len == space.len + 1 + name.len
            and t.live.name[space.len] == c'/'
            and memcmp(t.live.name, space.at, space.len) == 0
            and memcmp(t.live.name + space.len + 1, name.at, name.len) == 0
        ):
            return t
        i = (i + 1) & d.mask
        t = d.rows[i]
    return NULL
