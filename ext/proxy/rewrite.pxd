# cython: language_level=3
"""rewrite: which fields go on, which are dropped, which are new.

Gives a new list of fields in the arena of the exchange; names and values still
point to where they came from. What one hop says to the next (RFC 9110 7.6.1)
is dropped here; each mux adds what its own connection needs.
"""

from ext.http.head cimport head
from ext.proxy.exchange cimport exchange

cdef int rewrite_request(exchange* x, head* out) noexcept nogil
cdef int rewrite_response(exchange* x, const head* h, head* out) noexcept nogil
cdef int rewrite_trailers(exchange* x, const head* h, head* out) noexcept nogil
