# cython: language_level=3
"""relay: what passes between the two streams of an exchange, under back-pressure.

A piece of a body is handed from mux to mux in the call that brought it; when
the far side has more than QUEUE_MARK waiting, the near side is asked to pause
until on_room. After a 101 the bytes of both connections pass in the same way,
and a half-close is passed on.
"""

from ext.http.head cimport head
from ext.proxy.exchange cimport exchange

cdef void relay_down_body(void* owner, const char* at, size_t n, bint last) noexcept nogil
cdef void relay_down_trailers(void* owner, head* h) noexcept nogil
cdef void relay_down_room(void* owner) noexcept nogil
cdef void relay_up_head(void* owner, head* h, bint last) noexcept nogil
cdef void relay_up_body(void* owner, const char* at, size_t n, bint last) noexcept nogil
cdef void relay_up_trailers(void* owner, head* h) noexcept nogil
cdef void relay_up_room(void* owner) noexcept nogil
cdef void relay_replay(exchange* x) noexcept nogil
