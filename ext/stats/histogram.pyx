# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""histogram: bodies; the story is in histogram.pxd.

Floor      stats: may cimport ext.base, nothing else.
Takes      values in nanoseconds or bytes.
Gives      counts by bucket, not accumulated, and the sum.
Never      interpolates: what a quantile is, the reader decides.
"""

from ext.base.atomics cimport u64_load_acquire

DURATION_BOUNDS_NS = tuple([duration_bounds_ns[i] for i in range(<int>DURATION_BOUNDS)])
SIZE_BOUNDS_BYTES = tuple([size_bounds_bytes[i] for i in range(<int>SIZE_BOUNDS)])


cdef void durations_copy(const durations* h, durations* into) noexcept nogil:
    """Any thread; word by word, so the caller must know whether the whole belongs together."""
    cdef int i
    for i in range(DURATION_BOUNDS + 1):
        into.counts[i] = u64_load_acquire(&h.counts[i])
    into.sum_ns = u64_load_acquire(&h.sum_ns)


cdef void sizes_copy(const sizes* h, sizes* into) noexcept nogil:
    """As durations_copy."""
    cdef int i
    for i in range(SIZE_BOUNDS + 1):
        into.counts[i] = u64_load_acquire(&h.counts[i])
    into.sum_bytes = u64_load_acquire(&h.sum_bytes)
