# cython: language_level=3
"""histogram: counts of values below fixed bounds, as Prometheus and OpenTelemetry have them.

Bucket n counts what is above bound n - 1 and not above bound n, the last one
the rest. Sizes have the bounds of the OpenTelemetry SDK. Durations have the
bounds of two worlds at once, those of the specification (B of chapter 1.14)
and those that went with the old metric names: both can be read off exactly,
and nobody pays for the second histogram.

Who may write   the worker that owns it.
"""

from libc.stdint cimport uint64_t

from ext.base.atomics cimport u64_store_release

cdef enum:
    DURATION_BOUNDS = 32
    SIZE_BOUNDS = 15

cdef extern from * nogil:
    """
    #define MS 1000000ull
    static const uint64_t duration_bounds_ns[32] = {
        5 * MS, 10 * MS, 20 * MS, 25 * MS, 40 * MS, 50 * MS, 60 * MS, 75 * MS, 80 * MS, 100 * MS, 150 * MS,
        200 * MS, 250 * MS, 300 * MS, 350 * MS, 400 * MS, 450 * MS, 500 * MS, 600 * MS, 700 * MS, 750 * MS,
        800 * MS, 900 * MS, 1000 * MS, 2000 * MS, 2500 * MS, 5000 * MS, 7500 * MS, 10000 * MS, 20000 * MS,
        50000 * MS, 100000 * MS};
    static const uint64_t size_bounds_bytes[15] = {
        0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000};
    #undef MS
    """
    const uint64_t* duration_bounds_ns      # borrows: static
    const uint64_t* size_bounds_bytes       # borrows: static

cdef struct durations:
    uint64_t counts[33]      # values by bucket
    uint64_t sum_ns          # of all values, modulo 2^64

cdef struct sizes:
    uint64_t counts[16]      # values by bucket
    uint64_t sum_bytes       # of all values, modulo 2^64


cdef inline int tree_bucket(const uint64_t* bounds, uint64_t value) noexcept nogil:
    """Of fifteen bounds, which are a whole tree: four comparisons, no branch."""
    cdef int at = 0
    at += 8 * (value > bounds[at + 7])
    at += 4 * (value > bounds[at + 3])
    at += 2 * (value > bounds[at + 1])
    at += value > bounds[at]
    return at


cdef inline void durations_record(durations* h, uint64_t value_ns) noexcept nogil:
    cdef int at = 0
    cdef uint64_t* count
    at += 16 * (value_ns > duration_bounds_ns[15])
    at += tree_bucket(duration_bounds_ns + at, value_ns)
    at += at == DURATION_BOUNDS - 1 and value_ns > duration_bounds_ns[DURATION_BOUNDS - 1]
    count = &h.counts[at]
    u64_store_release(count, count[0] + 1)
    u64_store_release(&h.sum_ns, h.sum_ns + value_ns)


cdef inline void sizes_record(sizes* h, uint64_t value_bytes) noexcept nogil:
    cdef uint64_t* count = &h.counts[tree_bucket(size_bounds_bytes, value_bytes)]
    u64_store_release(count, count[0] + 1)
    u64_store_release(&h.sum_bytes, h.sum_bytes + value_bytes)


cdef void durations_copy(const durations* h, durations* into) noexcept nogil
cdef void sizes_copy(const sizes* h, sizes* into) noexcept nogil
