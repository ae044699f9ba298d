# cython: language_level=3
"""h2_session: an HTTP/2 connection, what both of its sides share.

    transport ──► h2_session_read ──► nghttp2 ──► callbacks ──► streams ──► owners
    owners ──► h2_stream ──► nghttp2 ──► h2_output ──► `out` ──► transport

Writing    What a turn says is framed into `out` and handed to the kernel once,
           at the end of the turn. While more than OUT_MARK bytes wait there,
           nothing more is framed: bodies wait in their streams, which tell
           their owners to pause.
Reading    All that comes is read, since windows bound it. A stream's window
           opens with WINDOW_FIRST bytes, and with h2_window_bytes once its body
           flows; it is given back as its owner takes the body. The connection's
           window is given back at once for what is stored, unless the budget of
           buffers is tight: then with the body. So a stream that waits for a
           slot holds WINDOW_FIRST bytes, and does not hold up its neighbours.
Calls      nghttp2 must not be entered again from its callbacks. While one runs
           (`busy`) frames are only submitted; the errand sends them.
End        `ending` says that nothing more is read: what waits is written, then
           FIN, then LINGER as in h1_server. Streams outlive their session
           until their owners let go: `session` is NULL then. nghttp2 keeps
           their addresses longer, so no callback looks for a stream then.
Draining   GOAWAY with the highest id, a PING, and at its answer GOAWAY with
           the last id that was seen: what was under way meanwhile is served.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from ext.base.arena cimport arena
from ext.base.chain cimport chain
from ext.base.links cimport links
from ext.http.head cimport head
from ext.loop.timers cimport timer
from ext.mux.h2_guard cimport h2_guard
from ext.mux.nghttp2 cimport nghttp2_session
from ext.mux.stream cimport stream, stream_ops
from ext.transport.transport cimport transport
from ext.transport.worker cimport corpse, errand, worker

cdef enum:
    WINDOW_FIRST = 65535   # of a stream before its body flows: what the protocol starts with
    OUT_MARK = 65536       # bytes framed ahead of the kernel
    GAPS_MAX = 4           # ranges of stream ids passed over that are remembered

cdef struct h2_intake:
    # The head or trailer section that is coming in.
    arena* mem             # borrows: stream.mem, or owns: freed after the event
    head h                 # inline
    int room               # of h.fields
    char* text             # borrows: free bytes of mem
    size_t text_room
    uint64_t bytes         # names, values and 32 for each field, as RFC 9113 6.5.2 counts
    int fault              # what is wrong with it; 0 so far

cdef struct h2_stream:
    stream base              # inline: first
    corpse grave             # inline: second
    links link               # inline: third: in session.streams until the protocol has closed it
    errand turn              # inline: shows what is stored, tells of room
    h2_session* session      # borrows: NULL once the protocol or the connection has closed it
    int32_t id               # 0 until a request has been submitted
    h2_intake intake         # inline
    chain queue              # inline: body that waits for a frame
    const char* now_at       # borrows: body of the send_body that is running
    size_t now_len
    const head* trailers_now  # borrows: trailers of the send_trailers that is running
    head* trailers_kept      # borrows: trailer_mem; they wait for the end of the body
    arena* trailer_mem       # owns: NULL when there are none
    chain inbox              # inline: body that nobody has wanted yet
    size_t withheld          # bytes of the connection's window that go back with the inbox
    int64_t received         # body bytes so far
    uint64_t sent_before     # bytes of the connection before this request
    bint wanted              # the owner wants the body
    bint widened             # the window is h2_window_bytes
    bint head_seen           # the final head has been shown, or a fault in its place
    bint in_end              # the peer's END_STREAM has come
    bint end_shown           # the owner has seen the end
    bint has_trailers        # intake holds the trailers until the body has been shown
    bint trailers_sent       # they are nghttp2's now
    bint out_last            # the owner has given the end
    bint out_end             # our END_STREAM has been framed
    bint deferred            # nghttp2 waits for nghttp2_session_resume_data
    bint room_owed           # something waits: on_room when the queue is empty
    bint peer_reset          # RST_STREAM has come
    bint own_reset           # the owner broke it off
    bint unsent              # the request never left
    bint to_head             # the request is HEAD
    bint buried              # in the grave

cdef struct h2_side:
    # What differs between server and client; a static table of each.
    const stream_ops* ops                                             # borrows: of its streams
    void (*on_headers)(h2_stream* s, bint last) noexcept nogil        # a head or trailer section is complete
    int (*fault_of)(h2_stream* s, uint32_t code) noexcept nogil       # why the stream closed early; 0: it did not
    int (*fault_of_end)(h2_stream* s, int fault) noexcept nogil       # the same when the connection ended
    void (*on_count)(h2_session* s) noexcept nogil                    # a stream ended, or SETTINGS or GOAWAY came
    void (*on_end)(h2_session* s) noexcept nogil                      # the connection is closed

cdef struct h2_session:
    corpse grave             # inline: first
    links all                # inline: in mux_context.h2_servers
    errand outbox            # inline: frames and writes what waits
    errand resume            # inline: reads on
    timer clock              # inline: head, idle, connect or linger time, by state
    worker* home             # borrows
    transport* t             # owns
    nghttp2_session* ng      # owns
    const h2_side* side      # borrows: a static table
    void* owner              # borrows: the client that embeds nothing of us; NULL for servers
    links streams            # inline: of h2_stream.link
    int stream_count         # of them
    chain out                # inline: framed, waits for the kernel
    h2_guard guard           # inline
    int32_t gaps[8]          # first and last of the ranges of ids that were passed over
    int gap_next             # where the next range goes
    int32_t last_id          # highest id that the peer has opened
    int fault                # why it ends; 0: in peace
    int write_fault          # writing failed with it; what has come in is read first
    int clock_state          # clock_reason of h2_session.pyx
    bint is_server
    bint busy                # nghttp2 is on the stack
    bint served              # it has carried a stream
    bint in_block            # a header block is under way
    bint ending              # write what waits, then close
    bint lingering           # FIN is sent
    bint closed
    bint draining            # the first GOAWAY is out
    bint drained             # the second one is out
    bint going               # the peer has sent GOAWAY

cdef int h2_session_open(h2_session* s, worker* w, transport* t, bint is_server) noexcept nogil
cdef void h2_session_feed(h2_session* s, const char* at, size_t n) noexcept nogil
cdef void h2_session_read(h2_session* s) noexcept nogil
cdef void h2_session_flush(h2_session* s) noexcept nogil
cdef void h2_session_end(h2_session* s, int fault) noexcept nogil
cdef void h2_session_finish(h2_session* s, int fault) noexcept nogil
cdef void h2_session_drain(h2_session* s) noexcept nogil
cdef void h2_session_stop(h2_session* s) noexcept nogil
cdef void h2_session_clock(h2_session* s) noexcept nogil
