# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""picker: bodies; the story is in picker.pxd.

Floor      upstream: may cimport ext.base, stats, loop, admission, transport, mux.
"""

from libc.stdint cimport uint32_t, uint64_t

from ext.base.atomics cimport u64_add_relaxed
from ext.upstream.member cimport member_is_in, member_running, member_take, members
from ext.upstream.roster cimport stand


cdef uint32_t below(stand* own, int n) noexcept nogil:
    """xorshift64*, folded into 0 to n - 1."""
    own.random ^= own.random >> 12
    own.random ^= own.random << 25
    own.random ^= own.random >> 27
    return <uint32_t>((((own.random * <uint64_t>2685821657736338717ULL) >> 32) * <uint64_t>n) >> 32)


cdef bint is_among(const member* m, const uint64_t* been, int been_count) noexcept nogil:
    cdef int i
    for i in range(been_count):
        if been[i] == m.serial:
            return True
    return False


cdef member* less_busy(members* set, stand* own) noexcept nogil:
    """One of two that were drawn; NULL when neither is in."""
    cdef int i = <int>below(own, set.count)
    cdef int j = <int>below(own, set.count - 1)
    cdef member* a
    cdef member* b
    if j >= i:
        j += 1
    a = set.all[i]
    b = set.all[j]
    if not member_is_in(a) or (member_is_in(b) and member_running(b) < member_running(a)):
        a = b
    return a


cdef member* picker_pick(roster* r, int worker, const uint64_t* been, int been_count) noexcept nogil:
    """A member with one slot taken, none of those that have `been` tried; NULL when none has one free."""
    cdef stand* own = &r.stands[worker]
    cdef members* set = own.now
    cdef int n = set.count
    cdef int at = 0
    cdef int _i
    cdef member* m
    if set.policy == PICK_TWO and n > 1:
        m = less_busy(set, own)
        if not is_among(m, been, been_count) and member_take(m):
            return m
        at = <int>below(own, n)
    elif set.policy == PICK_ROUND and n > 1:
        at = <int>(u64_add_relaxed(&r.turn, 1) % <uint64_t>n)
    for _i in range(n):
        m = set.all[at]
        if not is_among(m, been, been_count) and member_take(m):
            return m
        at += 1
        if at == n:
            at = 0
    return NULL
