# cython: language_level=3
"""endpoint: one address that we may call. It outlives plans, as its connections do.

It learns how long its app keeps idle connections: `idle_limit_ns` is the
shortest time after which the app was seen to close one. A request that must
not be sent twice takes a connection only if it has been idle for clearly less
(`endpoint_trusts`). Connections that are used after a longer time without
harm are evidence against what was learnt, and raise it again.

Who may write
    shares           any thread, by add
    idle_limit_ns    any worker; the last one wins, which harms nobody
    proven           any worker, likewise
    pools[i]         worker i
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t

from ext.base.links cimport links
from ext.loop.timers cimport timer
from ext.transport.worker cimport worker

cdef enum:
    ENDPOINT_NAME_MAX = 56       # "[" IPv6 "]:" port
    PROOFS_TO_FORGET = 256       # longer idle times that did no harm, before the limit doubles

cdef struct pool:
    worker* home             # borrows
    endpoint* to             # borrows: it embeds this pool
    links idle               # inline: HTTP/1 clients without an exchange, newest first
    links shared             # inline: HTTP/2 clients, all of them
    int idle_count
    bint left                # no target has the endpoint any more: connections end with their last exchange
    timer sweep              # inline: closes what has been idle for IDLE_MAX

cdef struct endpoint:
    uint64_t shares
    uint8_t address[16]      # IPv4 mapped
    uint16_t port
    int name_len
    char name[ENDPOINT_NAME_MAX]    # "127.0.0.1:8080"
    uint64_t idle_limit_ns   # 0: nothing learnt
    uint64_t proven          # uses after a longer time, since the limit changed
    int idle_max             # idle connections kept, of each worker
    uint8_t speaks           # HTTP_1_1 or HTTP_2 once found out; 0: not known
    int worker_count
    pool pools[1]            # inline: worker_count of them

cdef endpoint* endpoint_new(const char* host, uint16_t port, int idle_max, int worker_count) noexcept nogil
cdef bint endpoint_is_address(const char* host) noexcept nogil
cdef endpoint* endpoint_share(endpoint* e) noexcept nogil
cdef void endpoint_drop(endpoint* e) noexcept nogil
cdef void endpoint_learn(endpoint* e, uint64_t idle_ns) noexcept nogil
cdef bint endpoint_prove(endpoint* e, uint64_t idle_ns) noexcept nogil
cdef bint endpoint_trusts(const endpoint* e, uint64_t idle_ns, int64_t promised_ns) noexcept nogil
