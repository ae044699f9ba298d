# cython: language_level=3
"""fnv: FNV-1a over bytes, for tables that nobody fills from outside."""

from libc.stdint cimport uint8_t, uint64_t

from ext.base.span cimport span

cdef extern from * nogil:
    """
    #define FNV_START 14695981039346656037u
    #define FNV_STEP 1099511628211u
    """
    const uint64_t FNV_START
    const uint64_t FNV_STEP


cdef inline uint64_t fnv_add(uint64_t hash, span s) noexcept nogil:
    cdef size_t i
    for i in range(s.len):
        hash = (hash ^ <uint8_t>s.at[i]) * FNV_STEP
    return hash


cdef inline uint64_t fnv_fold(uint64_t hash) noexcept nogil:
    """The upper half folded in: the lower bits choose the row."""
    return hash ^ (hash >> 32)


cdef inline uint64_t fnv_of(span s) noexcept nogil:
    return fnv_fold(fnv_add(FNV_START, s))
