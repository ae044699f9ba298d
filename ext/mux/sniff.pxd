# cython: language_level=3
"""sniff: which protocol does a caller speak? Its first bytes tell, on a plain connection as inside TLS.

HTTP/2 begins with a preface of 24 bytes (RFC 9113 3.4) that no HTTP/1 request
can begin with. ALPN answers the question earlier where TLS agreed on one.
"""

from libc.string cimport memchr, memcmp

from ext.http.h1_parse cimport method_of
from ext.http.head cimport METHOD_OTHER

cdef extern from "<string.h>" nogil:
    void* memmem(const void* hay, size_t n, const void* needle, size_t m)

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


cdef inline bint sniff_is_foreign(const char* at, size_t n) noexcept nogil:
    """A first line that is of neither protocol: no method that we know, and no word of HTTP.

    An answer would be noise to whoever sent it, and a client that got the
    preface wrong must see the connection close (RFC 9113 3.4).
    """
    cdef const char* end = <const char*>memchr(at, c'\n', n)
    cdef size_t line = <size_t>(end - at) if end is not NULL else n
    cdef const char* space = <const char*>memchr(at, c' ', line)
    cdef size_t word = <size_t>(space - at) if space is not NULL else line
    return method_of(at, word) == METHOD_OTHER and memmem(at, line, b"HTTP/", 5) is NULL
