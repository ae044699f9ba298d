# cython: language_level=3
"""h1_body: takes the framing off an HTTP/1 body (RFC 9112 6, 7).

Fed with what a connection has read, it hands out pieces of the body where they
lie: nothing is copied but trailers. Any cut of the input gives the same body.

A chunk size is hexadecimal digits and CRLF; extensions are dropped. They may
cost what the data behind them outweighs, and EXTENSION_SLACK beyond that, so
that one-byte chunks with long extensions cannot keep a worker busy. Trailers
are kept until asked for, at most lim.head_max bytes, in memory that is taken
only when there are any. With `observe` a bare LF ends a line and space around a
chunk size is skipped; body.mended says so.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from ext.base.span cimport span
from ext.http.h1_fields cimport h1_limits
from ext.http.head cimport BODY_LENGTH, BODY_UNTIL_CLOSE, field, head

cdef enum:
    CHUNK_LINE_MAX = 4096       # bytes of a size line, its extensions included
    EXTENSION_SLACK = 16384     # bytes of extensions beyond what data has paid for

cdef enum body_state:
    BODY_AT_DATA          # `left` bytes are to come, or everything until the end
    BODY_AT_SIZE          # in the digits of a chunk size
    BODY_AT_SIZE_SPACE    # in space behind them, only when observing
    BODY_AT_EXTENSION
    BODY_AT_SIZE_LF       # CR of a size line is taken
    BODY_AT_DATA_CR       # a chunk's data is taken
    BODY_AT_DATA_LF
    BODY_AT_LAST          # the last chunk's line is taken: trailers or the end
    BODY_AT_TRAILER       # in a trailer line
    BODY_AT_LINE          # at the start of a further trailer line
    BODY_AT_END_LF        # CR of the empty line is taken
    BODY_AT_END           # complete

cdef struct h1_body:
    uint64_t left             # bytes to come, of the body or of the chunk; who moves bytes past the decoder subtracts
    uint8_t framing           # framing
    uint8_t state             # body_state
    uint8_t digits            # of the chunk size so far
    bint of_request           # whose fault a malformed body is
    uint32_t line_bytes       # of the size line so far
    uint32_t slack_used       # bytes of extensions that no data has paid for yet
    uint64_t mended           # bit n: mend_cause n was mended
    h1_limits lim             # inline
    char* trailer             # owns: the trailer section as received; NULL when there is none
    uint32_t trailer_len      # bytes of it
    uint32_t trailer_room     # bytes taken for it

cdef void h1_body_init(
    h1_body* b, int framing, int64_t length, const h1_limits* lim, bint of_request
) noexcept nogil
cdef int h1_body_feed(h1_body* b, const char* at, size_t n, size_t* used, span* data) noexcept nogil
cdef int h1_body_next(h1_body* b, char** at, size_t* n, span* data) noexcept nogil
cdef int h1_body_trailers(h1_body* b, field* table, head* h) noexcept nogil
cdef void h1_body_clear(h1_body* b) noexcept nogil


cdef inline bint h1_body_finished_by_close(const h1_body* b) noexcept nogil:
    """The end of the connection is the end of the body, not a loss."""
    return b.framing == BODY_UNTIL_CLOSE


cdef inline bint h1_body_ends_here(const h1_body* b, const char* at, size_t n) noexcept nogil:
    """The piece just given was the last one: the next call says DONE.

    Known for a body by length, and for a chunked one whose last chunk, without
    trailers, lies in the same bytes, as it does for nearly every small answer.
    """
    if b.left or b.state != BODY_AT_DATA:
        return False
    if b.framing == BODY_LENGTH:
        return True
    return b.framing != BODY_UNTIL_CLOSE and n >= 7 and memcmp(at, b"\r\n0\r\n\r\n", 7) == 0
