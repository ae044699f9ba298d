# cython: language_level=3
"""h1_wire: the bytes of an HTTP/1 connection, both ways, for either role.

Reading    A read goes into the worker's scratch. What cannot be used in that
           turn is copied into `kept`, which exists only while it holds bytes.
Writing    Small pieces are gathered in `out` and handed over at the end of
           the turn or by wire_flush; a large piece is offered to the kernel
           at once together with what waits, and only its rest is copied.
Budget     While the process's buffers are nearly spent, reads are small and a
           queue that holds anything at all is full. Once they are spent, bodies
           are read no more until some are free again; heads still are.
"""

from libc.stdint cimport int64_t, uint64_t

from ext.base.chain cimport chain
from ext.transport.transport cimport transport
from ext.transport.worker cimport errand

cdef enum:
    GATHER_BYTES = 4096  # up to here a copy is cheaper than one more part of a writev(2)

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
cdef bint wire_view(h1_wire* w, char** at, size_t* n) noexcept nogil
cdef int wire_leave(h1_wire* w, const char* rest, size_t n) noexcept nogil
cdef void wire_spend(h1_wire* w) noexcept nogil
cdef int wire_put(h1_wire* w, const char* at, size_t n) noexcept nogil
cdef int wire_body(h1_wire* w, const char* at, size_t n, bint last) noexcept nogil
cdef int wire_flush(h1_wire* w) noexcept nogil
cdef void wire_count_mended(h1_wire* w, uint64_t mended) noexcept nogil
