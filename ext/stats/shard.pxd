# cython: language_level=3
"""shard: all counters of one worker. The table is counters.h.

A counter only grows, so what is open or in use is the difference of two:
`conns_opened` minus `conns_closed`. Each is one word; a reader sees no half of
one, and counters that were changed together may be seen one change apart.

Who may write   the worker that owns it; any thread may read.
"""

from libc.stdint cimport uint64_t

from ext.base.atomics cimport u64_store_relaxed

cdef extern from "ext/stats/counters.h" nogil:
    enum listener_kind:
        LISTENER_MAIN
        LISTENER_MAIN_TLS
        LISTENER_ADMIN
        LISTENER_AUTOSCALER
        LISTENER_METRICS
        LISTENER_DEBUG
        LISTENER_COUNT
    enum bound_cause:
        BOUND_HEAD_BYTES
        BOUND_HEAD_TIME
        BOUND_TRAILER_BYTES
        BOUND_IDLE_TIME
        BOUND_INTERIM
        BOUND_H2_STREAMS
        BOUND_H2_RESETS
        BOUND_H2_CONTINUATION
        BOUND_H2_PINGS
        BOUND_H2_SETTINGS
        BOUND_H2_EMPTY
        BOUND_H2_WINDOW
        BOUND_TLS_TIME
        BOUND_DESCRIPTORS
        BOUND_BUFFERS
        BOUND_COUNT
    enum mended_cause:
        MENDED_COUNT
    struct shard:
        uint64_t* conns_opened           # inline: by listener_kind
        uint64_t* conns_closed           # inline: by listener_kind
        uint64_t* requests               # inline: by listener_kind
        uint64_t* probes                 # inline
        uint64_t* faults                 # inline: by ext.base.faults
        uint64_t* mended                 # inline: by mend_cause of ext.http.head
        uint64_t* bounds_hit             # inline: by bound_cause
        uint64_t* bytes_in               # inline
        uint64_t* bytes_out              # inline
        uint64_t* upstream_bytes_in      # inline
        uint64_t* upstream_bytes_out     # inline
        uint64_t* upstream_conns_opened  # inline
        uint64_t* upstream_conns_closed  # inline
        uint64_t* pool_hits              # inline
        uint64_t* pool_misses            # inline
        uint64_t* pool_closed_by_peer    # inline
        uint64_t* pool_closed_early      # inline
        uint64_t* retries                # inline
        uint64_t* retries_unsafe         # inline
        uint64_t* interim                # inline
        uint64_t* upgrades               # inline
        uint64_t* upgrades_ended         # inline
        uint64_t* waits                  # inline
        uint64_t* waited_ns              # inline
        uint64_t* abandoned              # inline
        uint64_t* tls_handshakes         # inline
        uint64_t* journal_records        # inline
        uint64_t* journal_dropped        # inline
        uint64_t* last_request_start_ns  # inline
    struct counter_row:
        const char* name                 # borrows: a literal
        size_t offset
        int count
        const char* const* labels        # borrows: a static table that ends with NULL
    const counter_row* counter_table

cdef void shard_init(shard* s) noexcept nogil
cdef object shard_read(const shard* s)


cdef inline void counter_add(uint64_t* counter, uint64_t n) noexcept nogil:
    """`counter_add(&s.faults[fault], 1)`, `counter_add(s.bytes_in, n)`; the owner only."""
    u64_store_relaxed(counter, counter[0] + n)


cdef inline void counter_set(uint64_t* counter, uint64_t value) noexcept nogil:
    """For last_request_start_ns."""
    u64_store_relaxed(counter, value)


cdef inline void shard_bound(shard* s, int cause) noexcept nogil:
    """A peer ran into a bound (bound_cause)."""
    counter_add(&s.bounds_hit[cause], 1)
