# cython: language_level=3
"""h1_wire: the bytes of an HTTP/1 connection, both ways, for either role.

Reading    A read goes into the worker's scratch. What cannot be used in that
           turn is copied into `kept`, which exists only while it holds bytes.
Writing    Small pieces are gathered in `out` and handed over at the end of
           the turn or by wire_flush; a large piece is offered to the kernel
           at once together with what waits, and only its rest is copied.
Bodies     Pieces and ends of a message are shown to the owner of the stream that
           the connection carries, and sent, alike in both roles.
Budget     While the process's buffers are nearly spent, reads are small and a
           queue that holds anything at all is full. Once they are spent, bodies
           are read no more until some are free again; heads still are.
"""

from libc.stdint cimport int64_t, uint64_t

from ext.base.chain cimport chain
from ext.base.span cimport span
from ext.http.h1_body cimport h1_body
from ext.http.head cimport head
from ext.mux.stream cimport stream
from ext.transport.transport cimport transport
from ext.transport.worker cimport errand

cdef enum:
    GATHER_BYTES = 4096  # up to here a copy is cheaper than one more part of a writev(2)
    READS_MAX = 16       # in a row for one connection, 2 MiB, before the others have their turn

cdef struct h1_wire:
    transport* t         # owns
    errand unsent        # inline: hands `out` over at the end of the turn
    errand resume        # inline: reads on in the next turn
    chain out            # inline: waits to be written
    char* kept           # owns: read and not used yet; NULL when there is none
    size_t kept_at       # first byte of them
    size_t kept_len      # bytes of them
    size_t kept_size     # of the allocation
    size_t scanned       # of a head that is not complete: bytes searched for its end
    bint chunked         # what goes out is framed in chunks
    int64_t length_left  # what goes out by length: bytes still owed; -1: not by length
    bint shut_after      # when `out` is empty: FIN

cdef void wire_init(h1_wire* w, transport* t) noexcept nogil
cdef void wire_clear(h1_wire* w) noexcept nogil
cdef bint wire_is_full(const h1_wire* w) noexcept nogil
cdef bint wire_waits(h1_wire* w) noexcept nogil
cdef ssize_t wire_fill(h1_wire* w, char** at, size_t* n) noexcept nogil
cdef ssize_t wire_next(h1_wire* w, char** at, size_t* n) noexcept nogil
cdef bint wire_view(h1_wire* w, char** at, size_t* n) noexcept nogil
cdef int wire_leave(h1_wire* w, const char* rest, size_t n) noexcept nogil
cdef void wire_spend(h1_wire* w) noexcept nogil
cdef int wire_put(h1_wire* w, const char* at, size_t n) noexcept nogil
cdef int wire_body(h1_wire* w, const char* at, size_t n, bint last) noexcept nogil
cdef int wire_raw(h1_wire* w, const char* at, size_t n, bint last) noexcept nogil
cdef int wire_trailers(h1_wire* w, const head* h) noexcept nogil
cdef int wire_show_end(h1_wire* w, h1_body* b, stream* s, span data, bint* done) noexcept nogil
cdef int wire_flush(h1_wire* w) noexcept nogil
cdef void wire_count_mended(h1_wire* w, uint64_t mended) noexcept nogil
