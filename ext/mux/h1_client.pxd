# cython: language_level=3
"""h1_client: upstream HTTP/1, one connection of ours that carries one exchange after the other.

    CONNECT ──► IDLE ──open──► BUSY ──both ends seen──► IDLE
                                 └─101──► RAW

What is sent before the connection stands waits in `wire.out`.

A connection that ends before the first byte of an answer is told apart:
CLOSED_UNREAD when the peer's FIN shows that it had not taken anything of the
request, CLOSED_BEFORE_HEAD and RESET_BEFORE_HEAD otherwise.
"""

from libc.stdint cimport uint64_t

from ext.http.h1_body cimport h1_body
from ext.mux.client cimport client
from ext.mux.h1_wire cimport h1_wire
from ext.mux.stream cimport stream
from ext.transport.transport cimport transport
from ext.transport.worker cimport corpse, worker

cdef enum h1_client_state:
    CLIENT_CONNECT
    CLIENT_IDLE
    CLIENT_BUSY
    CLIENT_RAW
    CLIENT_CLOSED

cdef struct h1_client:
    client c                 # inline: first
    stream s                 # inline: of the exchange that is open
    corpse grave             # inline
    h1_wire wire             # inline
    h1_body body             # inline: decodes the answer's body
    h1_client_state state
    bint running             # h1_client_run is on the stack
    bint request_done        # the end of the request has been written
    bint answer_done         # the whole answer has been shown
    bint answering           # a byte of the answer has come
    bint head_seen           # the final head has been shown
    bint to_head             # the request was HEAD
    bint wanted              # the owner wants the body
    bint keep_alive          # both sides allow another exchange
    bint write_failed        # nothing more goes out, an answer may still be there
    uint64_t sent_before     # bytes sent before this request

cdef client* h1_client_open(worker* w, transport* t) noexcept nogil
