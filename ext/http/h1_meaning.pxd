# cython: language_level=3
"""h1_meaning: what the fields of an HTTP/1 head say about the message itself.

Framing (RFC 9112 6), the Host (RFC 9112 3.2), Connection and the
fields that it names (RFC 9110 7.6.1), upgrade, expectation, TE. The same fields
decide for requests and responses; the faults differ by who sent them.
"""

from ext.http.head cimport head

cdef int h1_request_meaning(head* h, bint observe) noexcept nogil
cdef int h1_response_meaning(head* h, bint observe, bint to_head_request) noexcept nogil
cdef bint h1_host_is_valid(const char* at, size_t n) noexcept nogil
