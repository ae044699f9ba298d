# cython: language_level=3
"""pool: the connections of one worker to one endpoint.

HTTP/1 clients are lent one exchange at a time, the one that became idle last
first, so that the others age and are closed. HTTP/2 clients are shared up to
what the app allows; one more is opened when all are full. When
a request may not trust the idle ones, one more is opened as well, and those
that have been idle for longer than the app is known to allow are left: kept,
they would be very many after a while of such requests.

Every connection holds a share of the endpoint, and so does a sweep that is due.
"""

from libc.stdint cimport uint8_t

from ext.mux.stream cimport stream
from ext.upstream.endpoint cimport pool
from ext.transport.worker cimport worker

cdef enum pool_wish:
    POOL_ANY = 0          # the request may be sent once more if the connection dies
    POOL_TRUSTED = 1      # it may not: only a connection that the app will not close just now
    POOL_FRESH = 2        # a new connection

cdef void pool_attach(pool* p, worker* w) noexcept nogil
cdef stream* pool_take(pool* p, uint8_t version, pool_wish wish, int* fault) noexcept nogil
cdef void pool_leave(pool* p) noexcept nogil
cdef void pool_close_idle(pool* p) noexcept nogil
