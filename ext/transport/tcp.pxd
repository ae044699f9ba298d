# cython: language_level=3
"""tcp: the transport over a TCP socket, accepted or connected.

Dialing    A busy app may miss a SYN, and the kernel sends the next one a second
           later. So an attempt is given up after 50 ms and made anew, each time
           with 1.4 times the patience, up to the time for all of them (spec
           1.11). The socket is replaced inside the transport; whoever waits for
           it sees one edge at the end. Any other error ends the dialing at once.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from ext.transport.transport cimport transport, transport_ops
from ext.transport.worker cimport worker

cdef const transport_ops* tcp_ops() noexcept nogil
cdef transport* tcp_adopt(worker* w, int fd, const void* peer) noexcept nogil
cdef transport* tcp_connect(worker* w, const uint8_t* address, uint16_t port, int* fault) noexcept nogil
cdef bint tcp_is_unread(transport* t, unsigned long long sent_before) noexcept nogil
cdef int tcp_connect_result(transport* t) noexcept nogil
cdef bint tcp_start(transport* t) noexcept nogil
cdef void tcp_note(transport* t, uint32_t ready) noexcept nogil
