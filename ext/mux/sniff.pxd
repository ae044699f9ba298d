# cython: language_level=3
"""sniff: which protocol does a caller speak? Its first bytes tell, on a plain connection as inside TLS.

HTTP/2 begins with a preface of 24 bytes (RFC 9113 3.4) that no HTTP/1 request
can begin with. ALPN answers the question earlier where TLS agreed on one.
"""

from libc.string cimport memchr, memcmp

cdef extern from "<string.h>" nogil:
    void* memmem(const void* at, size_t n, const void* what, size_t len)

cdef enum:
    PREFACE_BYTES = 24

cdef enum sniffed:
    SNIFFED_H1
    SNIFFED_H2
    SNIFFED_MORE         # a beginning of the preface


cdef inline sniffed sniff(const char* at, size_t n) noexcept nogil:
    if n == 0:
        return SNIFFED_MORE
    if memcmp(at, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", n if n < PREFACE_BYTES else PREFACE_BYTES) != 0:
        return SNIFFED_H1
    return SNIFFED_H2 if n >= PREFACE_BYTES else SNIFFED_MORE


cdef inline bint sniff_is_stranger(const char* at, size_t n) noexcept nogil:
    """Is the first line one that no client of any HTTP/1 would send? It does not even name HTTP."""
    cdef const char* end = <const char*>memchr(at, c'\n', n)
    return memmem(at, <size_t>(end - at) if end is not NULL else n, b"HTTP/", 5) is NULL
