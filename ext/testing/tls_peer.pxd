# cython: language_level=3
"""tls_peer: the other side of a TLS connection, by OpenSSL alone, in the same thread.

It speaks through memory: what it wants to send is taken from it, what it is to
receive is given to it, so the bytes can be held back, cut and changed on the
way. Both sides say the same text, which tells each byte's place; a wrong byte
is seen at once. While a conversation runs, OpenSSL's random numbers come from
a seed, so an input means the same each time.
"""

from ext.transport.openssl cimport BIO, SSL, SSL_CTX

cdef enum:
    TEXT_BYTES = 300000      # the most that either side says

cdef struct tls_peer:
    SSL* ssl            # owns
    BIO* inward         # borrows: ssl's; ciphertext for it
    BIO* outward        # borrows: ssl's; ciphertext of it
    size_t said         # bytes of the text that it wrote
    size_t heard        # and that it read
    bint said_end       # its close_notify has been made
    bint heard_end      # ours has come
    bint failed         # it has given up
    bint deceived       # a byte that it read is wrong

cdef const char* tls_text() noexcept nogil
cdef bint tls_peer_ready() noexcept nogil
cdef SSL_CTX* tls_our_context(bint of_client) noexcept nogil
cdef void tls_peer_seed(bint on) noexcept nogil
cdef void tls_peer_begin(tls_peer* p, bint of_client, bint old, int offer) noexcept nogil
cdef bint tls_peer_is_open(tls_peer* p) noexcept nogil
cdef void tls_peer_step(tls_peer* p) noexcept nogil
cdef void tls_peer_write(tls_peer* p, size_t n) noexcept nogil
cdef bint tls_peer_rekey(tls_peer* p, bint both) noexcept nogil
cdef void tls_peer_end(tls_peer* p) noexcept nogil
cdef void tls_peer_take(tls_peer* p, const char* at, size_t n) noexcept nogil
cdef size_t tls_peer_give(tls_peer* p, char* at, size_t n) noexcept nogil
cdef void tls_peer_free(tls_peer* p) noexcept nogil
