# cython: language_level=3
"""rewrite: which fields go on, which are dropped, which are new.

Gives a new list of fields in the arena of the exchange; names and values still
point to where they came from. What one hop says to the next (RFC 9110 7.6.1)
is dropped here; each mux adds what its own connection needs.

What a route sets overwrites what the caller said, path over split; it comes
after the matching, and after hop-by-hop fields have gone, so nothing that the
caller says can name it away (NW spec 1.15, weakness W9). A gateway whose target
marks its requests says what an activator says (spec 2.2), and keeps to itself
what is meant for one.
"""

from ext.http.head cimport head
from ext.proxy.exchange cimport exchange

cdef int rewrite_request(exchange* x, head* out) noexcept nogil
cdef int rewrite_response(exchange* x, const head* h, head* out) noexcept nogil
cdef int rewrite_trailers(exchange* x, const head* h, head* out) noexcept nogil
