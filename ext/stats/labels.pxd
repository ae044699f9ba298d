# cython: language_level=3
"""labels: text that a caller chose, as a small number; bounded.

Slot 0 stands for every text that came when all slots were taken, or that is
longer than LABEL_BYTES: a caller may invent host names for ever, and the
metrics stay as large as they are (weakness W28 of the specification).

Who may write   the worker that owns it. A slot never changes once `count` has
been stored past it, so any thread may read those below.
"""

from libc.stdint cimport uint16_t, uint64_t

from ext.base.span cimport span

cdef enum:
    LABEL_BYTES = 253         # the longest name that DNS allows
    LABELS_MAX = 16383        # the index has 16 bits and is at most half full

cdef extern from * nogil:
    """
    #define LABEL_MIX 0x9e3779b97f4a7c15ull
    """
    const uint64_t LABEL_MIX  # 2^64 over the golden ratio: a product's upper half spreads neighbouring values

cdef struct labels:
    span* slots               # owns: the array and the bytes of each
    uint16_t* index           # owns: hash table of slots; 0 is empty
    uint64_t mask             # index entries - 1
    uint64_t count            # slots taken, slot 0 included
    uint64_t count_max        # slots there are
    int last                  # the slot that was found last

cdef int labels_init(labels* l, int values_max) noexcept nogil
cdef void labels_clear(labels* l) noexcept nogil
cdef int labels_find(labels* l, span text) noexcept nogil
cdef object labels_text(const labels* l, int slot)
