# cython: language_level=3
"""transport: THE SEAM between protocols and sockets.

A transport moves bytes of one connection: TCP, or TLS above it. Above this
seam there is no descriptor; below it there is no protocol.

Edges   `readable` and `writable` say what the last edge and the last call told.
        A reader reads until a call finds nothing (it clears `readable`) or
        until it wants no more; then it asks again later without a new edge.
Close   `peer_closed` is set by the edge that brings the peer's FIN, perhaps
        before the bytes in front of it have been read.
Life    after close() nothing is called any more; the memory lives until the
        end of the turn.
"""

from libc.stdint cimport uint8_t, uint16_t, uint64_t

from ext.loop.poller cimport watch
from ext.loop.timers cimport timer
from ext.transport.worker cimport corpse, worker

cdef extern from "sys/uio.h" nogil:
    struct iovec:
        void* iov_base
        size_t iov_len

cdef enum:
    IO_EOF = 0           # read: the peer sends nothing more
    IO_AGAIN = -100000   # read: nothing there now; an edge will tell
    PEER_TEXT_MAX = 46   # longest text of an IPv6 address

cdef struct transport_ops:
    # Bytes read (above 0), IO_EOF, IO_AGAIN, or a negative fault.
    ssize_t (*read)(transport* t, char* at, size_t n) noexcept nogil
    # Bytes taken, perhaps fewer than offered and perhaps 0, or a negative fault.
    ssize_t (*writev)(transport* t, const iovec* parts, int count) noexcept nogil
    # Sends no more: FIN, or close_notify and FIN.
    void (*shut)(transport* t) noexcept nogil
    # Lets go at once; `hard` sends a reset instead of a FIN.
    void (*close)(transport* t, bint hard) noexcept nogil

cdef struct transport:
    corpse grave                 # inline: first
    const transport_ops* ops     # borrows: a static table
    watch w                      # inline
    worker* home                 # borrows: the worker, outlives its connections
    void (*on_ready)(transport* t) noexcept nogil   # after an edge, with the flags below brought up to date
    void* owner                  # borrows: the connection above
    void* tls                    # owns: tls_side of ext.transport.tls; NULL on plain TCP
    void* via                    # borrows: the listener that accepted it; NULL for our own connections
    bint readable
    bint writable
    bint connecting              # connect(2) has not been answered yet
    bint opening                 # a TLS handshake runs
    bint peer_closed             # the peer has sent its FIN
    bint broken                  # an error is pending on the socket
    bint closed
    int lost                     # the fault that ended it above TCP; 0: none
    uint8_t alpn                 # what TLS agreed on: ALPN_NONE, ALPN_H1, ALPN_H2
    uint16_t peer_port           # host order
    uint8_t peer_len             # bytes of peer_text
    char peer_text[PEER_TEXT_MAX]   # address of the peer; IPv4-mapped ones as IPv4
    uint8_t peer_address[16]     # the same as 16 bytes, IPv4 mapped
    uint64_t sent_bytes          # that the kernel took
    timer patience               # inline: of this attempt to connect, or of the pause before the next
    int attempts                 # to connect, so far
    uint64_t dialed_ns           # when the first of them began

cdef enum:
    ALPN_NONE = 0
    ALPN_H1 = 1
    ALPN_H2 = 2

cdef struct tls_entry:
    void* context    # borrows: of OpenSSL; counted by whoever made it
    int (*accept)(transport* t, void* context) noexcept nogil   # begins TLS on an accepted connection
