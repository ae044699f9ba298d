# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""member: bodies; the story is in member.pxd.

Floor      upstream: may cimport ext.base, stats, loop, admission, transport, mux.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free

from ext.base.debug cimport EXT_CHECK
from ext.upstream.endpoint cimport endpoint_drop, endpoint_share


cdef member* member_new(endpoint* to, uint64_t serial) noexcept nogil:
    """OUT, with no capacity; NULL without memory."""
    cdef member* m = <member*>calloc(1, sizeof(member))
    if m is NULL:
        return NULL
    m.to = endpoint_share(to)
    m.serial = serial
    m.word = member_flagged(0, 0, MEMBER_OUT)
    return m


cdef void member_free(member* m) noexcept nogil:
    """Nothing runs there, and nobody can find it."""
    EXT_CHECK(member_running(m) == 0)
    endpoint_drop(m.to)
    free(m)


cdef bint is_over(uint64_t word) noexcept nogil:
    return member_flags(word) & (MEMBER_RETIRED | MEMBER_TOLD) == MEMBER_RETIRED and slots_running(word) == 0


cdef bint member_left(member* m, uint64_t word) noexcept nogil:
    """After a slot of a member with flags was given back, which made this word: is it out? Frees what is over."""
    if is_over(word):
        member_free(m)
    return member_flags(word) & MEMBER_OUT


cdef bint member_change(member* m, int unset, int set, int without) noexcept nogil:
    """Changes flags, unless one of `without` is set: then False. Frees what is over."""
    cdef uint64_t word = u64_load_full(&m.word)
    while not member_flags(word) & without:
        if u64_cas_full(&m.word, &word, member_flagged(word, unset, set)):
            if is_over(member_flagged(word, unset, set)):
                member_free(m)
            return True
    return False


cdef void member_retire(member* m) noexcept nogil:
    """It is out and in no set: goes when the last of its requests has."""
    member_change(m, 0, MEMBER_RETIRED, MEMBER_RETIRED)


cdef members* members_new(int count, int policy) noexcept nogil:
    """Room for members, which the caller puts in; NULL without memory."""
    cdef members* set = <members*>calloc(1, sizeof(members) + sizeof(member*) * <size_t>count)
    if set is not NULL:
        set.count = count
        set.policy = policy
    return set
