# cython: language_level=3
"""tls_hosts: which certificate a TLS connection gets, by the name that it asks for (SNI, RFC 6066 3).

    front context ──owns──► tls_hosts ──shares──► a context for each host

A connection begins with the front, and moves to the context of its host when
its first message has come: the exact name, else the longest wildcard, else the
default; without one the handshake is refused (unrecognized_name). The front
owns the table, and OpenSSL counts who uses the front: so a table lives as long
as a handshake that may look into it, and a change makes another front.

Who may write   nobody, once the front is made
"""

from libc.stdint cimport uint64_t

from ext.transport.openssl cimport SSL_CTX

cdef struct tls_host:
    uint64_t hash            # ext.base.lower
    SSL_CTX* context         # shares
    char* name               # owns: lower case; of a wildcard what follows the star; NULL: a free row
    size_t len
    bint wild

cdef struct tls_hosts:
    SSL_CTX* default         # shares; NULL: none
    uint64_t mask            # rows less one; a power of two less one
    bint has_wild
    tls_host rows[1]         # inline: by hash

cdef tls_hosts* tls_hosts_new(uint64_t count, SSL_CTX* default) noexcept nogil
cdef bint tls_hosts_put(tls_hosts* h, const char* name, size_t n, bint wild, SSL_CTX* context) noexcept nogil
cdef void tls_hosts_free(tls_hosts* h) noexcept nogil
cdef SSL_CTX* tls_hosts_front(tls_hosts* h, int lowest, int highest) noexcept nogil
