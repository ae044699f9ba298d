# cython: language_level=3
"""h1_server: downstream HTTP/1, one connection that carries one exchange after the other.

    WAIT ──head complete──► OPEN ──answer and request at their ends──► WAIT
      │                      │ └─101 has passed──► RAW
      ├─asks for h2c──► UPGRADE ──body complete──► HTTP/2
      │                      └─answered before the upload has ended──► DRAIN ──► WAIT or LINGER
      └─head malformed: an exchange that begins with its fault ──► LINGER

Pipelined requests stay in the kernel or in `wire.kept` until the one before
them has been answered, so answers keep their order (RFC 9112 9.3.2).

LINGER sends FIN and reads on for a while: closing over unread bytes makes the
kernel send a reset, which may destroy an answer that is still on its way.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from ext.base.arena cimport arena
from ext.base.links cimport links
from ext.http.h1_body cimport h1_body
from ext.http.head cimport head
from ext.loop.timers cimport timer
from ext.mux.h1_wire cimport h1_wire
from ext.mux.stream cimport stream
from ext.transport.transport cimport transport
from ext.transport.worker cimport corpse, worker

cdef enum h1_server_state:
    SERVER_WAIT
    SERVER_OPEN
    SERVER_RAW
    SERVER_UPGRADE
    SERVER_DRAIN
    SERVER_LINGER
    SERVER_CLOSED

cdef struct h1_server:
    corpse grave             # inline: first
    stream s                 # inline: of the exchange that is open
    links all                # inline: in worker.conns
    worker* home             # borrows
    h1_wire wire             # inline
    h1_body body             # inline: decodes the request's body
    timer clock              # inline: head, idle or linger time, by state
    h1_server_state state
    bint running             # h1_server_run is on the stack
    bint request_done        # the whole request has been shown
    bint wanted              # the owner wants the body
    bint head_sent           # the final head has been written
    bint answer_done         # the end of the answer has been written
    bint bodiless            # the answer has no body (HEAD, 204, 304)
    bint keep_alive          # the connection may go on
    bint until_close         # the answer ends with the connection
    bint expects             # the caller waits for 100 (Continue) before it sends the body
    bint served              # it has carried an exchange before
    uint8_t version          # of the request: HTTP_1_0 or HTTP_1_1
    arena* upgrade_mem       # owns: while a request for h2c is gathered
    head* upgrade_request    # borrows: upgrade_mem
    char* upgrade_body       # borrows: upgrade_mem
    size_t upgrade_have      # bytes of it
    int64_t drained          # bytes of an unread upload read since the answer

cdef h1_server* h1_server_open(worker* w, transport* t, const char* early, size_t n) noexcept nogil
cdef void h1_server_run(h1_server* c) noexcept nogil
cdef void h1_server_close(h1_server* c, bint hard) noexcept nogil
cdef void h1_server_end_all(worker* w) noexcept nogil
cdef void h1_server_forget(h1_server* c) noexcept nogil
cdef void h1_server_take(h1_server* c, int result, head* kept, arena* mem) noexcept nogil
cdef void h1_server_close_idle(worker* w) noexcept nogil
cdef void h1_server_linger(h1_server* c) noexcept nogil
cdef void h1_server_next(h1_server* c) noexcept nogil
