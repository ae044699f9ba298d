# cython: language_level=3
"""context: what the proxy floor keeps for one worker."""

from libc.stdint cimport int64_t, uint64_t

from ext.mux.stream cimport stream
from ext.proxy.plan cimport proxy_plan
from ext.stats.busy cimport busy
from ext.stats.histogram cimport durations
from ext.stats.journal cimport journal
from ext.stats.series cimport series
from ext.transport.worker cimport worker

cdef enum:
    DATE_BYTES = 29          # "Sun, 06 Nov 1994 08:49:37 GMT"
    HEALTH_MAX = 256         # bytes of a reason
    COLD_PHASES = 6          # ext.proxy.cold

cdef struct proxy_context:
    const proxy_plan* plan   # borrows: until the worker has taken the next one
    busy load                # inline: what the autoscaler eats
    series label_sets        # inline: histograms by label set
    durations cold[6]        # inline: phases of what held requests waited for
    journal finished         # inline: records of finished exchanges, off unless somebody reads them
    int64_t in_flight        # exchanges for the app that have not ended; read by Python
    uint64_t random          # state of the generator of ids and of choices
    int64_t date_s           # second that `date` is for
    char date[32]
    char health[256]         # why an activator's kubelet probes fail
    size_t health_len        # 0: they succeed
    # A stream whose far end is Python, for a request that came by this listener; NULL without room.
    stream* (*to_python)(worker* w, int listener, const stream* down) noexcept nogil


cdef inline proxy_context* proxy_of(worker* w) noexcept nogil:
    return <proxy_context*>w.proxy

cdef inline uint64_t proxy_random(proxy_context* p) noexcept nogil:
    """xorshift64*, the upper bits the best: ids must differ, not be secret. Never 0."""
    p.random ^= p.random >> 12
    p.random ^= p.random << 25
    p.random ^= p.random >> 27
    return p.random * <uint64_t>2685821657736338717ULL | 1


cdef const char* proxy_date(worker* w) noexcept nogil
