# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""endpoint: bodies; the story is in endpoint.pxd.

Floor      upstream: may cimport ext.base, stats, loop, admission, transport, mux.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free

from ext.base.atomics cimport u64_add_full, u64_add_relaxed, u64_load_relaxed, u64_store_relaxed
from ext.base.clock cimport NS_PER_MS
from ext.base.links cimport links_init
from ext.loop.timers cimport timer_init

cdef extern from "<arpa/inet.h>" nogil:
    int inet_pton(int family, const char* text, void* address)
    enum:
        AF_INET
        AF_INET6


cdef endpoint* endpoint_new(const char* host, uint16_t port, int idle_max, int worker_count) noexcept nogil:
    """`host` is an IPv4 or IPv6 address; NULL when it is none, or without memory. One share."""
    cdef endpoint* e = <endpoint*>calloc(1, sizeof(endpoint) + sizeof(pool) * <size_t>worker_count)
    cdef int i
    if e is NULL:
        return NULL
    if inet_pton(AF_INET, host, &e.address[12]) == 1:
        e.address[10] = 0xff
        e.address[11] = 0xff
        e.name_len = snprintf(e.name, ENDPOINT_NAME_MAX, "%s:%u", host, <unsigned int>port)
    elif inet_pton(AF_INET6, host, &e.address[0]) == 1:
        e.name_len = snprintf(e.name, ENDPOINT_NAME_MAX, "[%s]:%u", host, <unsigned int>port)
    else:
        free(e)
        return NULL
    e.shares = 1
    e.port = port
    e.idle_max = idle_max
    e.worker_count = worker_count
    for i in range(worker_count):
        e.pools[i].to = e
        links_init(&e.pools[i].idle)
        links_init(&e.pools[i].shared)
        timer_init(&e.pools[i].sweep, NULL, &e.pools[i])
    return e


cdef bint endpoint_is_address(const char* host) noexcept nogil:
    """An IPv4 or IPv6 address; names are resolved by nobody here."""
    cdef uint8_t address[16]
    return inet_pton(AF_INET, host, address) == 1 or inet_pton(AF_INET6, host, address) == 1


cdef endpoint* endpoint_share(endpoint* e) noexcept nogil:
    u64_add_relaxed(&e.shares, 1)
    return e


cdef void endpoint_drop(endpoint* e) noexcept nogil:
    """The last share frees; its pools must be empty by then."""
    if u64_add_full(&e.shares, <uint64_t>-1) == 1:
        free(e)


cdef void endpoint_learn(endpoint* e, uint64_t idle_ns) noexcept nogil:
    """The app closed a connection after it had been idle for so long."""
    cdef uint64_t known = u64_load_relaxed(&e.idle_limit_ns)
    if idle_ns == 0:
        idle_ns = 1
    if known == 0 or idle_ns < known:
        u64_store_relaxed(&e.idle_limit_ns, idle_ns)
    u64_store_relaxed(&e.proven, 0)


cdef bint endpoint_prove(endpoint* e, uint64_t idle_ns) noexcept nogil:
    """A connection was found open after so long; True when that is longer than what was learnt."""
    cdef uint64_t known = u64_load_relaxed(&e.idle_limit_ns)
    if known == 0 or idle_ns <= known:
        return False
    if u64_add_relaxed(&e.proven, 1) + 1 >= PROOFS_TO_FORGET:
        u64_store_relaxed(&e.idle_limit_ns, known * 2)
        u64_store_relaxed(&e.proven, 0)
    return True


cdef bint endpoint_trusts(const endpoint* e, uint64_t idle_ns, int64_t promised_ns) noexcept nogil:
    """A connection that has been idle for so long is clear of the app's closing it.

    Three quarters of what was seen or promised, less 2 ms: what a busy machine
    takes to bring a FIN from the app to us.
    """
    cdef uint64_t limit = u64_load_relaxed(&e.idle_limit_ns)
    if promised_ns > 0 and (limit == 0 or <uint64_t>promised_ns < limit):
        limit = <uint64_t>promised_ns
    if limit == 0:
        return True
    limit -= limit // 4
    return limit > 2 * NS_PER_MS and idle_ns < limit - 2 * NS_PER_MS
