# cython: language_level=3
"""member: one endpoint in a roster, with the slots that the roster's target has on it.

    63    43          40 39        20 19         0
    [ 0 | flags        ][ running   ][ capacity  ]

One word, changed by compare-and-swap, so that "there is a free slot and it is
still with us" is one look. Running requests are counted for unlimited members
too: the picker weighs by them, and the last one to leave a retired member
frees it.

    OUT ──put in──► IN ──claim──► CLAIMED ──mark out──► OUT ──retire──► RETIRED

OUT      gets no request; what runs there goes on
CLAIMED  somebody is about to mark it out and moves its slots out of the gate
         (roster.pxd); it is still picked
RETIRED  in no set any more; freed when nothing runs and no event names it

Who may write
    word       any worker, by compare-and-swap; only the control thread puts in, retires, and changes the capacity
    the rest   member_new
"""

from libc.stdint cimport int64_t, uint64_t

from ext.admission.slots cimport slots_add, slots_has_room, slots_running
from ext.base.atomics cimport u64_cas_full, u64_load_full
from ext.loop.mailbox cimport letter
from ext.upstream.endpoint cimport endpoint

cdef enum:
    MEMBER_FLAG_SHIFT = 40

cdef enum member_flag:
    MEMBER_OUT = 1
    MEMBER_CLAIMED = 2
    MEMBER_RETIRED = 4
    MEMBER_TOLD = 8          # an event about it is on its way to Python
    MEMBER_REFUSED = 16      # refused a connection while it was claimed: who has claimed it takes it out

cdef struct member:
    letter refused           # inline: first; the event that it refused a connection
    uint64_t word
    uint64_t serial          # of all members of a roster, also those that have left
    endpoint* to             # shares

cdef struct members:
    int count
    int policy               # pick_policy of ext.upstream.picker
    member* all[1]           # owns: count of them, in the order of their addresses

cdef member* member_new(endpoint* to, uint64_t serial) noexcept nogil
cdef void member_free(member* m) noexcept nogil
cdef bint member_left(member* m, uint64_t word) noexcept nogil
cdef bint member_change(member* m, int unset, int set, int without) noexcept nogil
cdef void member_retire(member* m) noexcept nogil
cdef members* members_new(int count, int policy) noexcept nogil


cdef inline int member_flags(uint64_t word) noexcept nogil:
    return <int>(word >> MEMBER_FLAG_SHIFT)


cdef inline uint64_t member_flagged(uint64_t word, int unset, int set) noexcept nogil:
    return (word & ~(<uint64_t>unset << MEMBER_FLAG_SHIFT)) | (<uint64_t>set << MEMBER_FLAG_SHIFT)


cdef inline bint member_is_in(const member* m) noexcept nogil:
    return not member_flags(u64_load_full(&m.word)) & MEMBER_OUT


cdef inline int64_t member_running(const member* m) noexcept nogil:
    return slots_running(u64_load_full(&m.word))


cdef inline bint member_take(member* m) noexcept nogil:
    """A slot; False when none is free, or the member is out."""
    cdef uint64_t word = u64_load_full(&m.word)
    while slots_has_room(word) and not member_flags(word) & MEMBER_OUT:
        if u64_cas_full(&m.word, &word, slots_add(word, 1, 0)):
            return True
    return False


cdef inline bint member_give(member* m) noexcept nogil:
    """Gives the slot back; True when the member is out. It may be gone afterwards."""
    cdef uint64_t word = u64_load_full(&m.word)
    while not u64_cas_full(&m.word, &word, slots_add(word, -1, 0)):
        pass
    return member_flags(word) and member_left(m, slots_add(word, -1, 0))
