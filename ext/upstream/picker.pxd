# cython: language_level=3
"""picker: chooses a member that has a free slot, and takes it.

Nothing is locked: words are looked at, the one that fits is swapped. When two
pick at once, the loser looks on.

Source     spec 2.6, policies: the first in the order of addresses for few slots
           each, in turn for many, the less busy of two for any number.
"""

from ext.upstream.member cimport member
from ext.upstream.roster cimport roster

from libc.stdint cimport uint64_t

cdef enum pick_policy:
    PICK_FIRST
    PICK_ROUND
    PICK_TWO

cdef enum:
    PICK_FIRST_MAX = 3       # slots of a member up to which the first free one is taken

cdef member* picker_pick(roster* r, int worker, const uint64_t* been, int been_count) noexcept nogil
