# cython: language_level=3
"""tls_context: the settings and the certificate that TLS connections start from.

A context is made whole and never changed; a reload makes another. OpenSSL
counts who uses it, so connections keep theirs.
"""

from ext.base.span cimport span
from ext.transport.openssl cimport SSL_CTX

cdef enum:
    TLS_WHY_MAX = 200    # bytes of the text that says what is wrong with a wish

cdef enum tls_callers:
    CALLERS_ANY = 0      # no certificate is asked for
    CALLERS_OPTIONAL     # one that is shown must verify
    CALLERS_REQUIRED

cdef struct tls_wishes:
    span cert            # borrows: the caller's; PEM, the leaf first, then its chain
    span key             # borrows: the caller's; PEM, without a password
    span authority       # borrows: the caller's; PEM, who signs the other side's certificates; may be empty
    const char* ciphers  # borrows: the caller's; OpenSSL's names of TLS 1.2 suites by ":", empty for our choice
    int lowest           # TLS1_2_VERSION or TLS1_3_VERSION
    int highest
    int callers          # tls_callers

cdef SSL_CTX* tls_bare_server_context(int lowest, int highest) noexcept nogil
cdef SSL_CTX* tls_server_context(const tls_wishes* w, char* why) noexcept nogil
cdef SSL_CTX* tls_client_context(const tls_wishes* w, char* why) noexcept nogil
cdef bint tls_use_groups(SSL_CTX* c, const char* names) noexcept nogil
