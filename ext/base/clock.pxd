# cython: language_level=3
"""clock: monotonic nanoseconds, read once per loop turn and handed on as `now_ns`."""

from libc.stdint cimport int64_t, uint64_t
from posix.time cimport CLOCK_MONOTONIC, CLOCK_REALTIME, clock_gettime, timespec

cdef enum:
    NS_PER_MS = 1000000
    NS_PER_S = 1000000000


cdef inline uint64_t clock_now_ns() noexcept nogil:
    """Time since an arbitrary start that never goes back."""
    cdef timespec t
    clock_gettime(CLOCK_MONOTONIC, &t)
    return <uint64_t>t.tv_sec * NS_PER_S + <uint64_t>t.tv_nsec


cdef inline int64_t clock_wall_ns() noexcept nogil:
    """Time since 1970, for dates and logs only."""
    cdef timespec t
    clock_gettime(CLOCK_REALTIME, &t)
    return <int64_t>t.tv_sec * NS_PER_S + <int64_t>t.tv_nsec
