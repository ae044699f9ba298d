# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""cold: bodies; the story is in cold.pxd.

Floor      proxy: may cimport every floor below.
Source     W3C Server Timing.
"""

from libc.stdint cimport uint64_t
from libc.stdio cimport snprintf

from ext.base.arena cimport arena_take
from ext.base.span cimport span, span_of
from ext.proxy.context cimport COLD_PHASES, proxy_of
from ext.stats.histogram cimport durations_record
from ext.upstream.roster cimport START_PHASES, start

cdef enum:
    TEXT_MAX = 256           # of the field: six names, six numbers


cdef span cold_answered(exchange* x) noexcept nogil:
    """Counts the phases of a request that was parked; the value of Server-Timing, empty when it is not wanted."""
    cdef const start* s = &x.to.live.stands[x.home.id].newest
    cdef uint64_t phases[6]
    cdef uint64_t left
    cdef int i
    if s.told_ns < x.start_ns or x.admitted_ns < s.told_ns:
        return span_of(NULL, 0)
    left = s.told_ns - x.start_ns
    for i in range(START_PHASES - 1, -1, -1):
        phases[<int>COLD_DECIDED + i] = min(s.phases_ns[i], left)
        left -= phases[<int>COLD_DECIDED + i]
    phases[<int>COLD_QUEUED] = left + x.admitted_ns - s.told_ns
    phases[<int>COLD_FORWARDED] = x.home.now_ns - x.admitted_ns
    for i in range(COLD_PHASES):
        durations_record(&proxy_of(x.home).cold[i], phases[i])
    return text_of(x, phases) if proxy_of(x.home).plan.timing else span_of(NULL, 0)


cdef span text_of(exchange* x, const uint64_t* phases) noexcept nogil:
    """Empty without memory."""
    cdef char* at = <char*>arena_take(x.mem, TEXT_MAX)
    cdef size_t n = 0
    cdef int i
    if at is NULL:
        return span_of(NULL, 0)
    for i in range(COLD_PHASES):
        n += <size_t>snprintf(
            at + n, TEXT_MAX - n, "%s%s;dur=%.2f", <const char*>(b", " if i else b""), cold_names[i],
            <double>phases[i] / 1e6,
        )
        if n >= TEXT_MAX:
            return span_of(NULL, 0)
    return span_of(at, n)
