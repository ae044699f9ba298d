# cython: language_level=3
"""tls: the transport over TLS, above the TCP transport of the same connection.

OpenSSL reads and writes through a BIO of ours, which calls the TCP transport.
So its rules hold here too: a short read has emptied the socket, and no second
recv(2) asks for the EAGAIN.

Reading    OpenSSL reads ahead, a record or several with one recv(2).
           `readable` is cleared only when it has nothing more decrypted,
           nothing more buffered, and the socket is empty.
Writing    Parts are gathered into records of 16 KiB, four records into one
           sendmsg(2): a head and its body are one record and one call. What the
           kernel does not take stays in `left`; its plaintext counts as not
           taken, and the owner offers it again, as it must with any transport.
Handshake  runs below the seam. on_ready comes when it is over; a failure is a
           fault of the next read or write. Until then reads say IO_AGAIN.
           Whoever bounds the time to the first head bounds the handshake.
Memory     an idle connection holds no buffer of OpenSSL's.
"""

from libc.stdint cimport uint8_t

from ext.base.chain cimport chain
from ext.transport.openssl cimport SSL
from ext.transport.transport cimport transport

cdef enum tls_state:
    TLS_HANDSHAKE = 0
    TLS_OPEN
    TLS_ENDED        # transport.lost says how

cdef struct tls_side:
    SSL* ssl         # owns
    uint8_t state    # tls_state
    bint of_client
    bint dry         # the last read emptied the socket, and no edge has come since
    bint fin         # a read has found the peer's FIN
    bint waits       # OpenSSL cannot answer a message of its own before there is room
    bint says_end    # close_notify is being made; of it, what the kernel does not take goes into `left`
    bint said_end    # our side has ended, with close_notify where that could be said
    char* batch      # borrows: of tls_writev while it encrypts, else NULL
    size_t batch_len
    chain left       # inline: ciphertext that the kernel has not taken
    size_t owed      # plaintext bytes in `left`, which the owner will offer again

cdef int tls_ready() noexcept nogil
cdef int tls_accept(transport* t, void* context) noexcept nogil
cdef int tls_connect(transport* t, void* context, const char* name) noexcept nogil
