# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""target: bodies; the story is in target.pxd.

Floor      upstream: may cimport ext.base, stats, loop, admission, transport, mux.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free

from ext.admission.limiter cimport limiter_drop
from ext.base.atomics cimport u64_add_full, u64_add_relaxed
from ext.upstream.endpoint cimport endpoint, endpoint_drop


cdef target* target_new(int endpoint_count) noexcept nogil:
    """Room for the endpoints, which the caller shares into it; NULL without memory. One share."""
    cdef target* t = <target*>calloc(1, sizeof(target))
    if t is NULL:
        return NULL
    t.endpoints = <endpoint**>calloc(<size_t>endpoint_count + 1, sizeof(endpoint*))
    if t.endpoints is NULL:
        free(t)
        return NULL
    t.shares = 1
    t.endpoint_count = endpoint_count
    return t


cdef target* target_share(target* t) noexcept nogil:
    u64_add_relaxed(&t.shares, 1)
    return t


cdef void target_drop(target* t) noexcept nogil:
    """The last share frees, and lets go of the limiter and the endpoints."""
    cdef int i
    if u64_add_full(&t.shares, <uint64_t>-1) != 1:
        return
    for i in range(t.endpoint_count):
        if t.endpoints[i] is not NULL:
            endpoint_drop(t.endpoints[i])
    if t.gate is not NULL:
        limiter_drop(t.gate)
    free(t.endpoints)
    free(t)
