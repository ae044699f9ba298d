# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h1_fields: bodies; the story is in h1_fields.pxd.

Floor      http: may cimport ext.base, nothing else.
Takes      bytes behind a start line, or behind a last chunk.
Gives      fields with their ids; which ids came, and which came twice.
Never      says what a field means: that is h1_parse's work.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from ext.base.faults cimport (
    BAD_REQUEST_FIELD,
    BAD_REQUEST_FOLD,
    BAD_REQUEST_LINE_END,
    BAD_RESPONSE_FIELD,
    BAD_RESPONSE_FOLD,
    BAD_RESPONSE_LINE_END,
    REQUEST_HEAD_TOO_LARGE,
    RESPONSE_HEAD_TOO_LARGE,
)
from ext.base.result cimport AGAIN, DONE, OK
from ext.base.span cimport span_of
from ext.http.head cimport FIELD_CLEAN, MEND_FOLD, MEND_LINE_END, MEND_NAME_SPACE, field, head
from ext.http.names cimport NAME_IS_ONCE, name_flags, name_lookup
from ext.http.scan cimport SCAN_TOKEN, scan_is, scan_token, scan_value


cdef inline bint is_blank(char c) noexcept nogil:
    return c == c' ' or c == c'\t'


cdef int refuse_field(bint of_request) noexcept nogil:
    return refusal(of_request, BAD_REQUEST_FIELD, BAD_RESPONSE_FIELD)


cdef int refuse_line_end(bint of_request) noexcept nogil:
    return refusal(of_request, BAD_REQUEST_LINE_END, BAD_RESPONSE_LINE_END)


cdef int line_end(char** cursor, char* end, bint observe, bint of_request, head* h) noexcept nogil:
    """Takes CRLF, or a bare LF when observing; AGAIN when the bytes do not tell yet."""
    cdef char* p = cursor[0]
    if p >= end:
        return AGAIN
    if p[0] == c'\r':
        if p + 1 >= end:
            return AGAIN
        if p[1] == c'\n':
            cursor[0] = p + 2
            return OK
    elif p[0] == c'\n' and observe:
        h.mended |= 1 << MEND_LINE_END
        cursor[0] = p + 1
        return OK
    elif p[0] != c'\n':
        return refuse_field(of_request)
    return refuse_line_end(of_request)


cdef int value_end(char** cursor, char* end, bint observe, bint of_request, head* h, bint* clean) noexcept nogil:
    """Finds the end of a value and of its line, mending folds; the slow way, for every line that is not ordinary."""
    cdef char* p = cursor[0]
    cdef char* stop
    cdef int result
    while True:
        p = <char*>scan_value(p, end)
        stop = p
        result = line_end(&p, end, observe, of_request, h)
        if result != OK:
            return result
        if p - stop != 2:
            clean[0] = False
        if p >= end:
            return AGAIN
        if not is_blank(p[0]):
            cursor[0] = stop
            return OK
        if not observe:
            return refusal(of_request, BAD_REQUEST_FOLD, BAD_RESPONSE_FOLD)
        h.mended |= 1 << MEND_FOLD
        clean[0] = False
        memset(stop, c' ', <size_t>(p - stop))


cdef int name_end(char** cursor, char* end, bint observe, bint of_request, head* h) noexcept nogil:
    """Steps over space between a name and its colon when observing.

    Returns  OK, or DONE: there is space inside the name, as some apps send it.
             Such a line means nothing to anybody; it is to be dropped.
    """
    cdef char* p = cursor[0]
    cdef char* blank
    if p >= end:
        return AGAIN
    if not observe or not is_blank(p[0]):
        return refuse_field(of_request)
    while p < end and is_blank(p[0]):
        p += 1
    blank = p
    while p < end and not of_request and (is_blank(p[0]) or scan_is(p[0], SCAN_TOKEN)):
        p += 1
    if p >= end:
        return AGAIN
    if p[0] != c':':
        return refuse_field(of_request)
    h.mended |= 1 << MEND_NAME_SPACE
    cursor[0] = p
    return OK if p == blank else DONE


cdef inline bint ends_plainly(const char* at, const char* end) noexcept nogil:
    """CRLF, and the next line is in sight and no fold."""
    return end - at > 2 and at[0] == c'\r' and at[1] == c'\n' and at[2] != c' ' and at[2] != c'\t'


cdef inline bint is_spaced_once(const field* f) noexcept nogil:
    """The line is `name ":" SP value CRLF`."""
    return f.raw_len == f.name.len + f.value.len + 4 and (f.value.at - 1)[0] == c' '


cdef int field_parse(char** cursor, char* end, bint observe, bint of_request, field* f, head* h) noexcept nogil:
    """One line; the cursor is behind it afterwards. OK, or DONE for a line that is to be dropped."""
    cdef char* name = cursor[0]
    cdef char* p = <char*>scan_token(name, end)
    cdef char* value
    cdef char* stop
    cdef bint clean = True
    cdef int named = OK
    cdef int result
    f.name = span_of(name, <size_t>(p - name))
    if p >= end or p[0] != c':':
        named = name_end(&p, end, observe, of_request, h)
        if named == AGAIN or named < 0:
            return named
        clean = False
    if f.name.len == 0:
        return refuse_field(of_request)
    value = p + 1
    while value < end and is_blank(value[0]):
        value += 1
    stop = <char*>scan_value(value, end)
    if not ends_plainly(stop, end):
        stop = value
        result = value_end(&stop, end, observe, of_request, h, &clean)
        if result != OK:
            return result
    cursor[0] = stop + (2 if stop[0] == c'\r' else 1)
    while stop > value and is_blank((stop - 1)[0]):
        stop -= 1
    while value < stop and is_blank(value[0]):
        value += 1
    f.value = span_of(value, <size_t>(stop - value))
    f.raw_len = <uint32_t>(cursor[0] - name) if clean else 0
    f.flags = FIELD_CLEAN if clean else 0
    f.id = name_lookup(f.name.at, f.name.len)
    if name_flags(f.id) & NAME_IS_ONCE and not is_spaced_once(f):
        # Not every parser trims a tab: what frames or routes is written anew, with one space.
        f.raw_len = 0
        f.flags = 0
    return named


cdef int h1_fields_parse(
    char** cursor, char* end, const h1_limits* lim, bint of_request, field* table, head* h
) noexcept nogil:
    """All field lines and the empty line behind them; the cursor is behind that.

    Fills fields, field_count, seen, repeated and adds to mended. AGAIN: the
    section is not complete, and nothing of the head may be used. A section
    that ends in the buffer never gives AGAIN.
    """
    cdef char* p = cursor[0]
    cdef field* f = table
    cdef uint64_t bit
    cdef int result
    h.fields = table
    h.seen = 0
    h.repeated = 0
    while True:
        if p >= end:
            return AGAIN
        if p[0] == c'\r' or p[0] == c'\n':
            result = line_end(&p, end, lim.observe, of_request, h)
            if result != OK:
                return result
            break
        if f - table >= lim.fields_max:
            return refusal(of_request, REQUEST_HEAD_TOO_LARGE, RESPONSE_HEAD_TOO_LARGE)
        result = field_parse(&p, end, lim.observe, of_request, f, h)
        if result == DONE:
            continue
        if result != OK:
            return result
        bit = <uint64_t>1 << f.id
        h.repeated |= h.seen & bit
        h.seen |= bit
        f += 1
    h.field_count = <int>(f - table)
    h.seen &= ~<uint64_t>1
    h.repeated &= ~<uint64_t>1
    cursor[0] = p
    return OK
