# cython: language_level=3
"""stream: THE SEAM, one side of one exchange, whatever carries it.

A server stream carries a request up and its response down; a client stream
the other way round. The owner (an exchange) calls `ops`, the mux calls
`events`. HTTP/1, HTTP/2 and the handoff to Python look alike from above.

Order      on_head (requests: once; responses: any number of interim heads,
           then one final), on_body any number of times, and the end once: by
           `last` on a head or body, or by on_trailers.
Bytes      that an event shows belong to the mux and are gone when it returns;
           bytes given to send_* are copied or written before it returns.
Room       send_head and send_body take everything. AGAIN means that more than
           QUEUE_MARK bytes wait (`queued`): send no more before on_room, which
           comes each time the queue has become empty.
Wanting    a stream shows no body until want_body(true), and none after
           want_body(false), not even what it has read already.
Fault      on_fault is the last event; the owner still has to let go.
Letting go release or reset, once, from anywhere, also inside an event; after
           it no event comes and the stream must not be touched. release means
           that all was said: the mux ends or reuses the connection as its
           protocol allows. reset breaks the message off so that the peer sees
           it incomplete.
Raw        after turn_raw (a 101 has passed) bodies are the bytes of the
           connection both ways; `last` is a half-close.
"""

from libc.stdint cimport uint8_t, uint64_t

from ext.base.arena cimport arena
from ext.http.head cimport head
from ext.transport.transport cimport transport
from ext.transport.worker cimport worker

cdef struct stream_ops:
    int (*send_head)(stream* s, const head* h, bint last) noexcept nogil
    int (*send_body)(stream* s, const char* at, size_t n, bint last) noexcept nogil
    int (*send_trailers)(stream* s, const head* h) noexcept nogil
    int (*turn_raw)(stream* s) noexcept nogil
    void (*want_body)(stream* s, bint wanted) noexcept nogil
    void (*flush)(stream* s) noexcept nogil           # hands over now what would wait for the end of the turn
    void (*reset)(stream* s, int fault) noexcept nogil
    void (*release)(stream* s) noexcept nogil

cdef struct stream_events:
    void (*on_head)(void* owner, head* h, bint last) noexcept nogil
    void (*on_body)(void* owner, const char* at, size_t n, bint last) noexcept nogil
    void (*on_trailers)(void* owner, head* h) noexcept nogil
    void (*on_room)(void* owner) noexcept nogil
    void (*on_fault)(void* owner, int fault) noexcept nogil

cdef struct stream:
    const stream_ops* ops        # borrows: a static table of the mux
    const stream_events* events  # borrows: a static table of the owner's
    void* owner                  # borrows: the exchange; NULL once it has let go
    worker* home                 # borrows
    transport* via               # borrows: the connection's transport; NULL at the handoff
    arena* mem                   # server streams: owns until the exchange takes it
    size_t queued                # bytes of send_* that the kernel has not taken yet
    uint8_t version              # HTTP_1_1, HTTP_2: what this side speaks
    bint reused                  # client streams: its connection has carried an exchange before
    uint64_t idled_ns            # client streams: how long its connection had been idle
    bint connected               # client streams: the connection stands
