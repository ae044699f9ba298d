# cython: language_level=3
"""slots: capacity, running and waiting of one limiter in one word.

    63        40 39        20 19         0
    [ waiting  ][ running   ][ capacity  ]

One compare-and-swap changes any of them together, so "there is room and nobody
waits" is one look at one word. `waiting` is signed and stands at the top:
counting it up or down cannot carry into its neighbours, and below zero it says
that a grant is on its way to somebody who has left (see limiter.pxd).

Who may write   any worker, by compare-and-swap.
"""

from libc.stdint cimport int64_t, uint64_t

cdef enum:
    CAPACITY_MAX = 1048575       # 2^20 - 1 requests at once: more than a process has descriptors
    WAITING_MAX = 8388000        # below 2^23, with room for grants on their way
    RUNNING_SHIFT = 20
    WAITING_SHIFT = 40


cdef inline uint64_t slots_of(int64_t capacity) noexcept nogil:
    """Nobody runs, nobody waits."""
    return <uint64_t>capacity


cdef inline int64_t slots_capacity(uint64_t word) noexcept nogil:
    return <int64_t>(word & CAPACITY_MAX)


cdef inline int64_t slots_running(uint64_t word) noexcept nogil:
    return <int64_t>((word >> RUNNING_SHIFT) & CAPACITY_MAX)


cdef inline int64_t slots_waiting(uint64_t word) noexcept nogil:
    return <int64_t>word >> WAITING_SHIFT


cdef inline uint64_t slots_add(uint64_t word, int running, int waiting) noexcept nogil:
    """The word with both counts changed by -1, 0 or 1."""
    return word + (<uint64_t><int64_t>running << RUNNING_SHIFT) + (<uint64_t><int64_t>waiting << WAITING_SHIFT)


cdef inline uint64_t slots_resized(uint64_t word, int64_t capacity) noexcept nogil:
    return (word & ~<uint64_t>CAPACITY_MAX) | <uint64_t>capacity


cdef inline uint64_t slots_grown(uint64_t word, int64_t change) noexcept nogil:
    """The word with a capacity that many higher; the caller knows that it stays within 0 to CAPACITY_MAX."""
    return word + <uint64_t>change


cdef inline bint slots_has_room(uint64_t word) noexcept nogil:
    """A slot is free, whoever may be waiting for it."""
    return slots_running(word) < slots_capacity(word)
