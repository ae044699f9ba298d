# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""target: bodies; the story is in target.pxd.

Floor      upstream: may cimport ext.base, stats, loop, admission, transport, mux.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from ext.base.atomics cimport u64_add_full, u64_add_relaxed
from ext.upstream.member cimport member_free
from ext.upstream.roster cimport roster_drop, roster_share


cdef target* target_new(roster* live) noexcept nogil:
    """The caller fills in the terms; NULL without memory. One share; the roster is shared."""
    cdef target* t = <target*>calloc(1, sizeof(target))
    if t is NULL:
        return NULL
    t.shares = 1
    t.live = roster_share(live)
    t.gate = live.gate
    return t


cdef bint target_passes_as(target* t, const char* host, size_t n) noexcept nogil:
    """Takes a copy of the Host that requests carry; False without memory. Before anybody shares the target."""
    t.host = <char*>malloc(n + 1)
    if t.host is NULL:
        return False
    memcpy(t.host, host, n)
    t.host_len = n
    return True


cdef target* target_share(target* t) noexcept nogil:
    u64_add_relaxed(&t.shares, 1)
    return t


cdef void target_drop(target* t) noexcept nogil:
    """The last share frees, and lets go of the roster."""
    if u64_add_full(&t.shares, <uint64_t>-1) != 1:
        return
    if t.only is not NULL:
        member_free(t.only)
    roster_drop(t.live)
    free(t.host)
    free(t)
