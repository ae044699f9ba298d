# cython: language_level=3
"""h1_parse: reads the head of an HTTP/1 message, strictly (RFC 9112).

A message that two parsers could read in two ways is refused, so that nobody
behind the proxy reads another message than the proxy did. What is refused, and
what `observe` mends instead, stands at each check. In short:

    request line   one token, one SP, one target, one SP, HTTP/1.0 or 1.1, CRLF;
                   another version is 505, CONNECT is 405, "*" needs OPTIONS
    Host           once in HTTP/1.1, at most once in 1.0; may be empty
    length         digits, once; never beside Transfer-Encoding
    coding         "chunked", once, alone, not in HTTP/1.0; a coding that exists
                   but is not chunked is 501 in a request
    status         100 to 599

The head points into the buffer: no byte is copied. A buffer that is not yet
complete gives AGAIN; then h1_head_ended looks for the end without reading any
byte twice, and the parser is called again once that says yes.

A head of 89 bytes costs 90 ns, one of 460 bytes 200, less than half of what llhttp
takes: loadtests/micro/bench_h1_parse.py.
"""

from libc.stdint cimport uint8_t

from ext.http.h1_fields cimport h1_limits
from ext.http.head cimport field, head

cdef enum:
    LEADING_LINES_MAX = 2    # empty lines before a request: old clients send one behind a body (RFC 9112 2.2)

cdef int h1_parse_request(
    char* at, size_t n, const h1_limits* lim, field* table, head* h, size_t* used
) noexcept nogil
cdef int h1_parse_response(
    char* at, size_t n, const h1_limits* lim, bint to_head_request, field* table, head* h, size_t* used
) noexcept nogil
cdef bint h1_head_ended(const char* at, size_t n, size_t* seen) noexcept nogil
cdef uint8_t method_of(const char* at, size_t n) noexcept nogil
