# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h1_body: bodies; the story is in h1_body.pxd.

Floor      http: may cimport ext.base, nothing else.
Takes      bytes behind a head, in any pieces.
Gives      pieces of the body, then DONE; afterwards the trailers.
"""

from libc.stdint cimport INT64_MAX, UINT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

from ext.base.faults cimport (
    BAD_REQUEST_CHUNK,
    BAD_REQUEST_TRAILER,
    BAD_RESPONSE_CHUNK,
    BAD_RESPONSE_TRAILER,
    NO_MEMORY,
    REQUEST_HEAD_TOO_LARGE,
    REQUEST_TRAILER_TOO_LARGE,
    RESPONSE_HEAD_TOO_LARGE,
    RESPONSE_TRAILER_TOO_LARGE,
)
from ext.base.result cimport AGAIN, DONE, OK
from ext.base.span cimport span, span_of
from ext.http.h1_fields cimport h1_fields_parse, h1_limits, refusal
from ext.http.head cimport (
    BODY_CHUNKED,
    BODY_LENGTH,
    BODY_UNTIL_CLOSE,
    MEND_CHUNK_SPACE,
    MEND_LINE_END,
    field,
    head,
)
from ext.http.names cimport NAME_IS_FRAMING, NAME_IS_HEAD, NAME_IS_HOP, name_flags
from ext.http.scan cimport SCAN_DIGIT, SCAN_HEX, SCAN_VALUE, scan_is

cdef enum:
    TRAILER_ROOM = 512        # taken for a first trailer byte, doubled when it is full


cdef void h1_body_init(
    h1_body* b, int framing, int64_t length, const h1_limits* lim, bint of_request
) noexcept nogil:
    """A decoder at the first byte behind a head.

    framing, length  of that head; length counts only for BODY_LENGTH
    """
    memset(b, 0, sizeof(h1_body))
    b.framing = <uint8_t>framing
    b.lim = lim[0]
    b.of_request = of_request
    if framing == BODY_LENGTH:
        b.left = <uint64_t>length
    elif framing == BODY_CHUNKED:
        b.state = BODY_AT_SIZE
    elif framing == BODY_UNTIL_CLOSE:
        b.left = UINT64_MAX
    else:
        b.state = BODY_AT_END


cdef void h1_body_clear(h1_body* b) noexcept nogil:
    """Frees what trailers took; the decoder may be started again."""
    free(b.trailer)
    b.trailer = NULL
    b.trailer_len = 0
    b.trailer_room = 0


cdef int refuse_chunk(const h1_body* b) noexcept nogil:
    return refusal(b.of_request, BAD_REQUEST_CHUNK, BAD_RESPONSE_CHUNK)


cdef int refuse_trailer(const h1_body* b) noexcept nogil:
    return refusal(b.of_request, BAD_REQUEST_TRAILER, BAD_RESPONSE_TRAILER)


cdef bint mends_line_end(h1_body* b, char c) noexcept nogil:
    """A bare LF where CRLF is due."""
    if c != c'\n' or not b.lim.observe:
        return False
    b.mended |= 1 << MEND_LINE_END
    return True


cdef bint mends_space(h1_body* b, char c) noexcept nogil:
    if not b.lim.observe or (c != c' ' and c != c'\t'):
        return False
    b.mended |= 1 << MEND_CHUNK_SPACE
    return True


cdef int size_taken(h1_body* b) noexcept nogil:
    """A size line is complete."""
    b.slack_used -= <uint32_t>b.left if b.left < b.slack_used else b.slack_used
    if b.slack_used > EXTENSION_SLACK:
        return refuse_chunk(b)
    b.digits = 0
    b.line_bytes = 0
    b.state = BODY_AT_DATA if b.left else BODY_AT_LAST
    return OK


cdef int size_step(h1_body* b, char c) noexcept nogil:
    """One byte of a size line: at the digits, in the space behind, or in extensions."""
    b.line_bytes += 1
    if b.line_bytes > CHUNK_LINE_MAX:
        return refuse_chunk(b)
    if b.state == BODY_AT_EXTENSION:
        b.slack_used += 1
        if c == c'\r':
            b.state = BODY_AT_SIZE_LF
        elif not scan_is(c, SCAN_VALUE):
            return refuse_chunk(b)
        return OK
    if b.state == BODY_AT_SIZE and scan_is(c, SCAN_HEX):
        b.digits += 1
        b.left = b.left << 4 | <uint64_t>(c - c'0' if scan_is(c, SCAN_DIGIT) else (c | 0x20) - c'a' + 10)
        return OK if b.digits <= 16 and b.left <= <uint64_t>INT64_MAX else refuse_chunk(b)
    if mends_space(b, c):
        if b.digits:
            b.state = BODY_AT_SIZE_SPACE
        return OK
    if b.digits == 0:
        return refuse_chunk(b)
    if c == c'\r':
        b.state = BODY_AT_SIZE_LF
        return OK
    if c == c';':
        b.state = BODY_AT_EXTENSION
        return OK
    return size_taken(b) if mends_line_end(b, c) else refuse_chunk(b)


cdef int trailer_keep(h1_body* b, char c) noexcept nogil:
    cdef uint32_t room = b.trailer_room
    cdef char* grown
    if b.trailer_len == room:
        if b.trailer_len >= b.lim.head_max:
            return refusal(b.of_request, REQUEST_TRAILER_TOO_LARGE, RESPONSE_TRAILER_TOO_LARGE)
        room = 2 * room if room else TRAILER_ROOM
        room = room if room < b.lim.head_max else b.lim.head_max
        grown = <char*>realloc(b.trailer, room)
        if grown is NULL:
            return -NO_MEMORY
        b.trailer = grown
        b.trailer_room = room
    b.trailer[b.trailer_len] = c
    b.trailer_len += 1
    return OK


cdef int trailers_read(h1_body* b, field* table, head* h) noexcept nogil:
    """Parses the section that was kept."""
    cdef char* p = b.trailer
    cdef char* end = p + b.trailer_len
    cdef int result
    memset(h, 0, sizeof(head))
    h.fields = table
    h.length = -1
    if b.trailer is NULL:
        return OK
    result = h1_fields_parse(&p, end, &b.lim, b.of_request, table, h)
    if result == -REQUEST_HEAD_TOO_LARGE or result == -RESPONSE_HEAD_TOO_LARGE:
        return refusal(b.of_request, REQUEST_TRAILER_TOO_LARGE, RESPONSE_TRAILER_TOO_LARGE)
    if result != OK or p != end:
        return refuse_trailer(b)
    b.mended |= h.mended
    return OK


cdef int body_ended(h1_body* b) noexcept nogil:
    """Everything is in. Trailers are looked at before anybody hears of the end."""
    cdef size_t lines = 0
    cdef uint32_t i
    cdef field* table
    cdef head h
    cdef int result
    b.state = BODY_AT_END
    if b.trailer is NULL:
        return OK
    for i in range(b.trailer_len):
        lines += b.trailer[i] == c'\n'
    table = <field*>malloc(lines * sizeof(field))
    if table is NULL:
        return -NO_MEMORY
    result = trailers_read(b, table, &h)
    if result == OK:
        for i in range(<uint32_t>h.field_count):
            if name_flags(table[i].id) & NAME_IS_FRAMING:
                result = refuse_trailer(b)
    free(table)
    return result


cdef int trailer_step(h1_body* b, char c) noexcept nogil:
    """One byte behind the last chunk's line."""
    cdef int result = OK
    if b.state == BODY_AT_LAST:
        if c == c'\r':
            b.state = BODY_AT_END_LF
            return OK
        if c == c'\n':
            return body_ended(b) if mends_line_end(b, c) else refuse_trailer(b)
    if b.state != BODY_AT_END_LF or b.trailer is not NULL:
        result = trailer_keep(b, c)
        if result != OK:
            return result
    if b.state == BODY_AT_END_LF:
        return body_ended(b) if c == c'\n' else refuse_trailer(b)
    if b.state == BODY_AT_LINE:
        if c == c'\n':
            return body_ended(b)
        if c == c'\r':
            b.state = BODY_AT_END_LF
            return OK
    b.state = BODY_AT_LINE if c == c'\n' else BODY_AT_TRAILER
    return OK


cdef int chunk_step(h1_body* b, char c) noexcept nogil:
    """One byte that is not body."""
    if b.state <= BODY_AT_EXTENSION:
        return size_step(b, c)
    if b.state == BODY_AT_SIZE_LF:
        return size_taken(b) if c == c'\n' else refuse_chunk(b)
    if b.state == BODY_AT_DATA_CR and c == c'\r':
        b.state = BODY_AT_DATA_LF
        return OK
    if b.state <= BODY_AT_DATA_LF:
        if (b.state == BODY_AT_DATA_LF and c == c'\n') or (b.state == BODY_AT_DATA_CR and mends_line_end(b, c)):
            b.state = BODY_AT_SIZE
            return OK
        return refuse_chunk(b)
    return trailer_step(b, c)


cdef int h1_body_feed(h1_body* b, const char* at, size_t n, size_t* used, span* data) noexcept nogil:
    """Takes the next bytes; to be called until it gives AGAIN or DONE.

    Returns  OK: `data` is a piece of body within `at`; the rest of the input begins at `used`.
             AGAIN: everything is used and more is needed.
             DONE: the body is complete and the next message begins at `used`; `data` is empty.
             A negative fault: neither side may be used any more.
    After the last piece of body DONE needs one more call, which may be with no bytes.
    """
    cdef const char* p = at
    cdef const char* end = at + n
    cdef uint64_t take
    cdef int result = OK
    data[0] = span_of(at, 0)
    while b.state != BODY_AT_END:
        if b.state == BODY_AT_DATA and b.left == 0:
            b.state = BODY_AT_DATA_CR if b.framing == BODY_CHUNKED else BODY_AT_END
            continue
        used[0] = <size_t>(p - at)
        if p == end:
            return AGAIN
        if b.state == BODY_AT_DATA:
            take = <uint64_t>(end - p)
            if take > b.left:
                take = b.left
            if b.framing != BODY_UNTIL_CLOSE:
                b.left -= take
            data[0] = span_of(p, take)
            used[0] += take
            return OK
        result = chunk_step(b, p[0])
        if result != OK:
            return result
        p += 1
    used[0] = <size_t>(p - at)
    return DONE


cdef int h1_body_next(h1_body* b, char** at, size_t* n, span* data) noexcept nogil:
    """h1_body_feed that steps over what it has used; DONE comes with the last piece where that one is known."""
    cdef size_t used
    cdef span none
    cdef int result = h1_body_feed(b, at[0], n[0], &used, data)
    at[0] += used
    n[0] -= used
    if result == OK and h1_body_ends_here(b, at[0], n[0]):
        result = h1_body_feed(b, at[0], n[0], &used, &none)
        at[0] += used
        n[0] -= used
    return result


cdef int h1_body_trailers(h1_body* b, field* table, head* h) noexcept nogil:
    """The trailer fields, after DONE; names that mean nothing behind a body are left out (RFC 9110 6.5.1).

    table  room for lim.fields_max fields; they point into the decoder, until it is cleared.
    """
    cdef int i
    cdef int kept = 0
    cdef int result = trailers_read(b, table, h)
    if result != OK:
        return result
    for i in range(h.field_count):
        if name_flags(table[i].id) & (NAME_IS_HEAD | NAME_IS_HOP):
            h.seen &= ~(<uint64_t>1 << table[i].id)
            continue
        table[kept] = table[i]
        kept += 1
    h.field_count = kept
    return OK
