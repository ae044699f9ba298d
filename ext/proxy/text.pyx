# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""text: bodies; the story is in text.pxd.

Floor      proxy: may cimport every floor below.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from ext.base.atomics cimport u64_add_full, u64_add_relaxed, u64_load_full
from ext.base.fnv cimport fnv_of
from ext.base.span cimport span_is, span_of
from ext.http.names cimport name_lookup

cdef enum:
    POOL_FIRST = 64          # rows of the first pool; a power of two

cdef struct text_pool:
    text** rows              # owns: open addressing; each row shares its text
    size_t mask              # rows less one
    size_t count
    size_t count_max         # when it looks for texts that nobody has

cdef text_pool pool


cdef text* text_intern(const char* at, size_t n) noexcept:
    """The text with these bytes, with a share for the caller; NULL without memory."""
    cdef uint64_t hash = fnv_of(span_of(at, n))
    cdef text* t
    cdef size_t i
    if pool.count >= pool.count_max and not pool_renew():
        return NULL
    i = hash & pool.mask
    while pool.rows[i] is not NULL:
        t = pool.rows[i]
        if t.hash == hash and span_is(text_span(t), at, n):
            u64_add_relaxed(&t.shares, 1)
            return t
        i = (i + 1) & pool.mask
    t = <text*>malloc(sizeof(text) + n)
    if t is NULL:
        return NULL
    t.shares = 2
    t.hash = hash
    t.len = <uint32_t>n
    t.name_id = name_lookup(at, n)
    memcpy(t.at, at, n)
    pool.rows[i] = t
    pool.count += 1
    return t


cdef void text_drop(text* t) noexcept nogil:
    """The caller's share; the pool's keeps it until it is swept."""
    u64_add_full(&t.shares, <uint64_t>-1)


cdef bint pool_renew() noexcept:
    """Frees what only the pool has, and makes room for as many again as are left; False without memory."""
    cdef text** before = pool.rows
    cdef size_t rows = POOL_FIRST
    cdef size_t kept = 0
    cdef size_t i, at
    if before is not NULL:
        for i in range(pool.mask + 1):
            if before[i] is not NULL and u64_load_full(&before[i].shares) > 1:
                kept += 1
    while rows < 4 * kept:
        rows *= 2
    pool.rows = <text**>calloc(rows, sizeof(text*))
    if pool.rows is NULL:
        pool.rows = before
        return False
    pool.count = 0
    if before is not NULL:
        for i in range(pool.mask + 1):
            if before[i] is NULL:
                continue
            if u64_load_full(&before[i].shares) == 1:
                free(before[i])
                continue
            at = before[i].hash & (rows - 1)
            while pool.rows[at] is not NULL:
                at = (at + 1) & (rows - 1)
            pool.rows[at] = before[i]
            pool.count += 1
    free(before)
    pool.mask = rows - 1
    pool.count_max = rows // 2
    return True


cdef size_t text_pool_count() noexcept:
    return pool.count
