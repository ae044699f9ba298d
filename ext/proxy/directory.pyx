# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""directory: bodies; the story is in directory.pxd.

Floor      proxy: may cimport every floor below.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp

from ext.base.atomics cimport u64_add_full
from ext.base.fnv cimport FNV_START, fnv_add, fnv_fold, fnv_of
from ext.base.span cimport span_is, span_of
from ext.upstream.target cimport target_drop, target_share


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


cdef void directory_put(directory* d, target* t) noexcept nogil:
    """Shares the target; its name is not in there yet, and there is room."""
    cdef uint64_t i = fnv_of(span_of(t.live.name, t.live.name_len)) & d.mask
    while d.rows[i] is not NULL:
        i = (i + 1) & d.mask
    d.rows[i] = target_share(t)
    d.count += 1


cdef target* directory_find(const directory* d, span space, span name) noexcept nogil:
    """The target of that namespace and name; NULL when there is none. The directory keeps its share."""
    cdef uint64_t hash = fnv_add(fnv_add(fnv_add(FNV_START, space), span_of(b"/", 1)), name)
    cdef uint64_t i = fnv_fold(hash) & d.mask
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


cdef target* directory_get(const directory* d, uint64_t hash, span name) noexcept nogil:
    """The target of that whole name, whose hash (fnv_of) the caller has; NULL when there is none."""
    cdef uint64_t i = hash & d.mask
    cdef target* t = d.rows[i]
    while t is not NULL and not span_is(name, t.live.name, t.live.name_len):
        i = (i + 1) & d.mask
        t = d.rows[i]
    return t
