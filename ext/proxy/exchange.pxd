# cython: language_level=3
"""exchange: one request and its response, the state machine of the engine.

    HEAD ──► ADMIT ⇄ PARKED ◄─► CONNECT ──► SEND ──► ANSWER ──► RELAY ──► DONE
     │         │       │           ▲         │         │          │
     │         │       │           └──retry──┴─────────┘          │
     └─────────┴───────┴───────────┴─────────┴─────────┴──────────┴──► FAILED

HEAD     the request head has come; probes are answered and leave here
ADMIT    the limiter is asked; without a limiter the step is empty
PARKED   waits for a slot; its caller may leave at any time
CONNECT  a connection is taken from the pool or made
SEND     head and body of the request go out
ANSWER   the request may still be going out; the final head is awaited
RELAY    the body of the answer goes back; after a 101, bytes both ways
DONE     the last byte of the answer was taken by the kernel
FAILED   from anywhere: proxy.reply makes an answer of the fault, or, with the
         head gone already, both sides are cut

CONNECT takes a slot of an endpoint first (ext.proxy.choice); where none is
free, an exchange goes from there back to PARKED, before all who came later.

A retry goes back to CONNECT when a reused connection died before the first
byte of an answer and every byte of the body that was let go is still at hand
(`replay`): for idempotent methods, for requests with an Idempotency-Key, and
for any when the connection had provably been closed before the request came.

The slot is held until DONE or FAILED. An exchange frees itself in one place,
exchange_end, after both its streams were let go.

Memory   one chunk of an arena of 4 KiB: this struct, the head, and what is
         rewritten. Bodies pass through; what waits is bounded by QUEUE_MARK
         for each side and by the process's budget of buffers.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from ext.admission.ticket cimport ticket
from ext.base.arena cimport arena
from ext.base.chain cimport chain
from ext.base.faults cimport fault_table
from ext.base.span cimport span
from ext.http.head cimport head
from ext.loop.timers cimport timer
from ext.mux.stream cimport stream
from ext.proxy.plan cimport ROLE_GATEWAY
from ext.proxy.routes cimport host_routes, route_split
from ext.transport.worker cimport corpse, worker
from ext.upstream.member cimport member
from ext.upstream.target cimport target

cdef extern from * nogil:
    """
    #define REQUEST_FOREVER UINT64_MAX
    """
    const uint64_t REQUEST_FOREVER   # request_ns of a target whose requests may take any time

cdef enum exchange_state:
    EXCHANGE_HEAD
    EXCHANGE_PARKED
    EXCHANGE_CONNECT     # SEND and ANSWER as well: what is still to come tells them apart
    EXCHANGE_RELAY
    EXCHANGE_CLOSING     # the whole answer has been written, the kernel has not taken all of it
    EXCHANGE_OVER

cdef enum:
    REPLAY_MAX = 65536   # bytes of a body kept for a retry: forms and calls fit, uploads do not
    INTERIM_MAX = 32     # 1xx answers to one request (spec 8, H3)
    MOVES_MAX = 2        # to another endpoint: three tries in all

cdef struct exchange:
    corpse grave             # inline: first
    exchange_state state
    worker* home             # borrows
    arena* mem               # owns; the exchange lives in it
    stream* down             # borrows: the mux's, until let go; NULL afterwards
    stream* up               # borrows: likewise; NULL before CONNECT
    head* request            # borrows: mem
    target* to               # shares; NULL for what Python serves and for malformed heads
    host_routes* routes      # shares; NULL where no host was looked up
    const route_split* split  # borrows: of routes; NULL likewise
    member* at               # borrows: it stays while we hold a slot of it; NULL without an endpoint
    ticket place             # inline
    timer clock              # inline: the nearest of the three timeouts
    timer pause              # inline: the wait for a 100 (Continue)
    chain replay             # inline: the body so far, for a retry
    uint8_t listener         # which port it came by
    uint8_t label            # listener_kind of the statistics
    uint8_t role             # ext.proxy.plan: which statuses and texts the caller sees
    bint in_flight           # a drain waits for it
    bint counted             # it is among the requests in flight
    bint reported            # it is among those of its target
    bint proxied             # it came through an activator
    bint probe               # a probe: not counted, not measured
    bint admitted            # it holds a slot
    bint bypass              # a kubelet probe: no limiter
    bint grpc                # Content-Type: application/grpc*
    bint request_last        # the end of the request has come
    bint waits_continue      # the body is not asked for before a 100, or a second, or an answer
    bint head_sent           # the final head has gone downstream
    bint raw                 # after a 101
    bint raw_down_ended      # after a 101: the caller sends no more
    bint raw_up_ended        # after a 101: the app sends no more
    bint replayable          # replay holds every byte that was let go
    bint tried               # it has been sent twice
    bint moving              # the next endpoint is one where it has not been
    bint up_full             # upstream asked us to pause
    bint down_full           # downstream asked us to pause
    bint up_taken            # the pool had a connection that was used before
    uint8_t up_version       # what is spoken upstream
    int moves                # to another endpoint
    int interim              # 1xx answers so far
    int fault                # how it ended; 0: well
    int status               # final status sent; 0: none
    int up_status            # final status of the app's answer; 0: none
    uint64_t start_ns        # the head had come
    uint64_t admitted_ns     # a slot was granted
    uint64_t sent_ns         # the request head was handed to a connection
    uint64_t first_ns        # the final head of the answer came
    uint64_t moved_ns        # bytes of the answer passed last
    int64_t wall_ns          # start as time since 1970
    int64_t request_bytes    # of the body
    int64_t response_bytes   # of the body
    uint64_t trace[4]        # inline: trace id (2 words), span of ours, parent's span
    uint64_t been[2]         # serials of the endpoints that it has left
    uint64_t call_span       # span of the call to the app
    uint8_t trace_flags      # trace_flag of ext.proxy.trace
    span request_id          # borrows: mem; empty: none was made

cdef void exchange_accept(worker* w, stream* s) noexcept nogil
cdef void exchange_go_elsewhere(exchange* x, int fault) noexcept nogil
cdef void exchange_fail(exchange* x, int fault) noexcept nogil
cdef void exchange_finish(exchange* x) noexcept nogil
cdef void exchange_flow(exchange* x) noexcept nogil


cdef inline int exchange_status(const exchange* x, int fault) noexcept nogil:
    """What this listener's callers are told of a fault; 0: nothing can or must be said."""
    return fault_table[fault].gateway_status if x.role == ROLE_GATEWAY else fault_table[fault].status


cdef inline bint exchange_is_tls(const exchange* x) noexcept nogil:
    return x.down.via is not NULL and x.down.via.tls is not NULL
