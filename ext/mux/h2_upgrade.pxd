# cython: language_level=3
"""h2_upgrade: when an HTTP/1.1 request may turn its connection into HTTP/2 (RFC 7540 3.2).

Only on a cleartext connection, with one HTTP2-Settings that can be read, and
with a body of at most UPGRADE_BODY_MAX bytes whose length is known: it must
have come before the 101 can go. Anything else stays HTTP/1.1.
"""

from ext.http.head cimport head
from ext.transport.transport cimport transport
from ext.transport.worker cimport worker

cdef enum:
    UPGRADE_BODY_MAX = 65536

cdef int h2_upgrade(
    worker* w, transport* t, const head* h, const char* at, size_t n, size_t used
) noexcept nogil
