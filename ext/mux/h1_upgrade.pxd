# cython: language_level=3
"""h1_upgrade: `Upgrade: h2c`, the way from HTTP/1.1 to HTTP/2 on a plain connection (RFC 7540 3.2).

The request that asks for it is answered on stream 1 of the new connection, so
its body must be there first: up to UPGRADE_BODY_MAX is gathered in the arena of
the request. With a larger body, one of unknown length, or one that waits for a
100 (Continue), the wish is ignored, as the RFC allows, and so it is when
the settings beside it cannot be read.
"""

from ext.base.arena cimport arena
from ext.http.head cimport head
from ext.mux.h1_server cimport h1_server

cdef enum:
    UPGRADE_BODY_MAX = 65536

cdef bint h1_upgrade_wanted(const h1_server* c, const head* h) noexcept nogil
cdef void h1_upgrade_begin(h1_server* c, head* h, arena* mem) noexcept nogil
cdef int h1_upgrade_read(h1_server* c) noexcept nogil
cdef void h1_upgrade_drop(h1_server* c) noexcept nogil
