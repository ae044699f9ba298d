# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""labels: bodies; the story is in labels.pxd.

Floor      stats: may cimport ext.base, nothing else.
Takes      bytes as they came from the wire.
Gives      a slot from 1 on, or 0 for "one of the others".
Never      forgets, moves or compares without case.
"""

from libc.stdint cimport uint16_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from ext.base.atomics cimport u64_load_acquire, u64_store_release
from ext.base.faults cimport NO_MEMORY
from ext.base.result cimport OK
from ext.base.span cimport span, span_equals, span_of


cdef int labels_init(labels* l, int values_max) noexcept nogil:
    """Room for `values_max` texts, 0 to LABELS_MAX."""
    cdef uint64_t entries = 4
    while entries < 2 * <uint64_t>(values_max + 1):
        entries *= 2
    l.slots = <span*>calloc(values_max + 1, sizeof(span))
    l.index = <uint16_t*>calloc(entries, sizeof(uint16_t))
    l.mask = entries - 1
    l.count = 1
    l.count_max = values_max + 1
    l.last = 0
    if l.slots is NULL or l.index is NULL:
        labels_clear(l)
        return -NO_MEMORY
    return OK


cdef void labels_clear(labels* l) noexcept nogil:
    cdef uint64_t i
    if l.slots is not NULL:
        for i in range(1, l.count):
            free(<void*>l.slots[i].at)
    free(l.slots)
    free(l.index)
    l.slots = NULL
    l.index = NULL
    l.count = 0


cdef uint64_t hash_of(span text) noexcept nogil:
    cdef uint64_t hash = text.len
    cdef uint64_t word
    while text.len >= 8:
        memcpy(&word, text.at, 8)
        hash = (hash ^ word) * LABEL_MIX
        hash ^= hash >> 32
        text.at += 8
        text.len -= 8
    word = 0
    memcpy(&word, text.at, text.len)
    hash = (hash ^ word) * LABEL_MIX
    return hash ^ (hash >> 32)


cdef int labels_find(labels* l, span text) noexcept nogil:
    """The slot of a text; a new one is taken when there is room."""
    cdef uint64_t at
    if l.last and span_equals(l.slots[l.last], text):
        return l.last
    if text.len > LABEL_BYTES:
        return 0
    at = hash_of(text) & l.mask if text.len else 0
    while l.index[at]:
        if span_equals(l.slots[l.index[at]], text):
            l.last = l.index[at]
            return l.last
        at = (at + 1) & l.mask
    return add(l, text, at)


cdef int add(labels* l, span text, uint64_t at) noexcept nogil:
    cdef char* copy
    cdef int slot = <int>l.count
    if l.count == l.count_max:
        return 0
    copy = <char*>malloc(text.len + 1)
    if copy is NULL:
        return 0
    if text.len:
        memcpy(copy, text.at, text.len)
    l.slots[slot] = span_of(copy, text.len)
    l.index[at] = <uint16_t>slot
    u64_store_release(&l.count, l.count + 1)
    l.last = slot
    return slot


cdef object labels_text(const labels* l, int slot):
    """Any thread; None for slot 0."""
    if slot <= 0 or <uint64_t>slot >= u64_load_acquire(&l.count):
        return None
    return l.slots[slot].at[:l.slots[slot].len]
