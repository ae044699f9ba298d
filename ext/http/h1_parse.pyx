# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h1_parse: bodies; the story is in h1_parse.pxd.

Floor      http: may cimport ext.base, nothing else.
Takes      the bytes that a connection has read so far; writable, as mending is done in place.
Gives      a head that points into them, AGAIN, or the fault of whoever sent them.
Never      allocates, copies, or looks behind the head.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr, memcmp, memset

from ext.base.faults cimport (
    BAD_REQUEST_LINE,
    BAD_REQUEST_LINE_END,
    BAD_REQUEST_TARGET,
    BAD_REQUEST_VERSION,
    BAD_RESPONSE_LINE,
    BAD_RESPONSE_LINE_END,
    METHOD_NOT_ALLOWED,
    REQUEST_HEAD_TOO_LARGE,
    RESPONSE_HEAD_TOO_LARGE,
)
from ext.base.result cimport AGAIN, OK
from ext.base.span cimport span, span_is_nocase, span_of
from ext.http.h1_fields cimport h1_fields_parse, h1_limits, refusal
from ext.http.h1_meaning cimport h1_host_is_valid, h1_request_meaning, h1_response_meaning
from ext.http.head cimport (
    HTTP_1_0,
    HTTP_1_1,
    MEND_LINE_END,
    MEND_STATUS_SPACE,
    METHOD_CONNECT,
    METHOD_DELETE,
    METHOD_GET,
    METHOD_HEAD,
    METHOD_OPTIONS,
    METHOD_OTHER,
    METHOD_PATCH,
    METHOD_POST,
    METHOD_PUT,
    METHOD_TRACE,
    field,
    head,
)
from ext.http.scan cimport SCAN_DIGIT, scan_is, scan_target, scan_token, scan_value

cdef enum:
    VERSION_BYTES = 8    # "HTTP/1.1"


cdef bint h1_head_ended(const char* at, size_t n, size_t* seen) noexcept nogil:
    """Whether an empty line ends a head in these bytes, also one made with bare LF.

    seen   how far earlier calls have looked; begins at 0, written by each call.
    """
    cdef const char* end = at + n
    cdef const char* p = at
    cdef const char* found
    while p < end and p - at < 2 * LEADING_LINES_MAX and (p[0] == c'\r' or p[0] == c'\n'):
        p += 1
    if p < at + seen[0]:
        p = at + seen[0]
    while p < end:
        found = <const char*>memchr(p, c'\n', <size_t>(end - p))
        if found is NULL:
            break
        p = found + 1
        if p < end and p[0] == c'\r':
            p += 1
        if p >= end:
            seen[0] = <size_t>(found - at)
            return False
        if p[0] == c'\n':
            return True
    seen[0] = n
    return False


cdef int start_line_end(char** cursor, char* end, bint observe, bint of_request, head* h) noexcept nogil:
    """Takes the CRLF behind a start line, or a bare LF when observing."""
    cdef char* p = cursor[0]
    if p >= end:
        return AGAIN
    if p[0] == c'\r':
        if p + 1 >= end:
            return AGAIN
        if p[1] == c'\n':
            cursor[0] = p + 2
            return OK
        return refusal(of_request, BAD_REQUEST_LINE_END, BAD_RESPONSE_LINE_END)
    if p[0] != c'\n':
        return refusal(of_request, BAD_REQUEST_LINE, BAD_RESPONSE_LINE)
    if not observe:
        return refusal(of_request, BAD_REQUEST_LINE_END, BAD_RESPONSE_LINE_END)
    h.mended |= 1 << MEND_LINE_END
    cursor[0] = p + 1
    return OK


cdef uint8_t method_of(const char* at, size_t n) noexcept nogil:
    """The method_id; methods are case-sensitive (RFC 9110 9.1)."""
    if n == 3:
        if memcmp(at, b"GET", 3) == 0:
            return METHOD_GET
        if memcmp(at, b"PUT", 3) == 0:
            return METHOD_PUT
    elif n == 4:
        if memcmp(at, b"POST", 4) == 0:
            return METHOD_POST
        if memcmp(at, b"HEAD", 4) == 0:
            return METHOD_HEAD
    elif n == 5:
        if memcmp(at, b"PATCH", 5) == 0:
            return METHOD_PATCH
        if memcmp(at, b"TRACE", 5) == 0:
            return METHOD_TRACE
    elif n == 6 and memcmp(at, b"DELETE", 6) == 0:
        return METHOD_DELETE
    elif n == 7:
        if memcmp(at, b"OPTIONS", 7) == 0:
            return METHOD_OPTIONS
        if memcmp(at, b"CONNECT", 7) == 0:
            return METHOD_CONNECT
    return METHOD_OTHER


cdef bint target_is_absolute(head* h) noexcept nogil:
    """Reads "http://host/path" or "https://…" (RFC 9112 3.2.2) into scheme and authority."""
    cdef span target = h.target
    cdef size_t scheme, i
    if target.len > 7 and span_is_nocase(span_of(target.at, 7), b"http://", 7):
        scheme = 4
    elif target.len > 8 and span_is_nocase(span_of(target.at, 8), b"https://", 8):
        scheme = 5
    else:
        return False
    i = scheme + 3
    while i < target.len and target.at[i] != c'/' and target.at[i] != c'?':
        i += 1
    h.scheme = span_of(target.at, scheme)
    h.authority = span_of(target.at + scheme + 3, i - scheme - 3)
    return h1_host_is_valid(h.authority.at, h.authority.len)


cdef int target_parse(head* h) noexcept nogil:
    """Decides the form of the target (RFC 9112 3.2)."""
    if h.method == METHOD_CONNECT:
        return -METHOD_NOT_ALLOWED
    if h.target.at[0] == c'/':
        return OK
    if h.target.len == 1 and h.target.at[0] == c'*':
        return OK if h.method == METHOD_OPTIONS else -BAD_REQUEST_TARGET
    return OK if target_is_absolute(h) else -BAD_REQUEST_TARGET


cdef int version_parse(char** cursor, char* end, int malformed, int unsupported, head* h) noexcept nogil:
    """Takes "HTTP/1.1" or "HTTP/1.0" and no other; AGAIN while it is incomplete."""
    cdef char* p = cursor[0]
    if end - p < VERSION_BYTES:
        return AGAIN if memchr(p, c'\n', <size_t>(end - p)) is NULL else malformed
    if memcmp(p, b"HTTP/1.1", VERSION_BYTES) == 0:
        h.version = HTTP_1_1
    elif memcmp(p, b"HTTP/1.0", VERSION_BYTES) == 0:
        h.version = HTTP_1_0
    elif memcmp(p, b"HTTP/", 5) == 0 and scan_is(p[5], SCAN_DIGIT) and p[6] == c'.' and scan_is(p[7], SCAN_DIGIT):
        return unsupported
    else:
        return malformed
    cursor[0] = p + VERSION_BYTES
    return OK


cdef int request_line_parse(char** cursor, char* end, bint observe, head* h) noexcept nogil:
    cdef char* at = cursor[0]
    cdef char* p = <char*>scan_token(at, end)
    cdef int result
    h.method_text = span_of(at, <size_t>(p - at))
    if p >= end:
        return AGAIN
    if p[0] != c' ' or p == at:
        return -BAD_REQUEST_LINE
    h.method = method_of(at, <size_t>(p - at))
    at = p + 1
    p = <char*>scan_target(at, end)
    h.target = span_of(at, <size_t>(p - at))
    if p >= end:
        return AGAIN
    if p[0] == c'\r' or p[0] == c'\n' or (p[0] == c' ' and p == at):
        return -BAD_REQUEST_LINE
    if p[0] != c' ':
        return -BAD_REQUEST_TARGET
    p += 1
    result = version_parse(&p, end, -BAD_REQUEST_LINE, -BAD_REQUEST_VERSION, h)
    if result != OK:
        return result
    result = start_line_end(&p, end, observe, True, h)
    if result != OK:
        return result
    cursor[0] = p
    return target_parse(h)


cdef int status_line_parse(char** cursor, char* end, bint observe, head* h) noexcept nogil:
    """Version, space, three digits, space, reason; the reason may be empty (RFC 9112 4)."""
    cdef char* p = cursor[0]
    cdef char* reason
    cdef int result = version_parse(&p, end, -BAD_RESPONSE_LINE, -BAD_RESPONSE_LINE, h)
    cdef int i
    if result != OK:
        return result
    for i in range(4):
        if p + i >= end:
            return AGAIN
        if p[i] != c' ' if i == 0 else not scan_is(p[i], SCAN_DIGIT):
            return -BAD_RESPONSE_LINE
    h.status = (p[1] - c'0') * 100 + (p[2] - c'0') * 10 + (p[3] - c'0')
    if h.status < 100 or h.status > 599:
        return -BAD_RESPONSE_LINE
    p += 4
    if p < end and p[0] == c' ':
        p += 1
        reason = p
        p = <char*>scan_value(p, end)
        h.reason = span_of(reason, <size_t>(p - reason))
    elif p < end:
        if not observe:
            return -BAD_RESPONSE_LINE
        h.mended |= 1 << MEND_STATUS_SPACE
    result = start_line_end(&p, end, observe, False, h)
    if result == OK:
        cursor[0] = p
    return result


cdef int leading_lines_skip(char** cursor, char* end, bint observe, head* h) noexcept nogil:
    cdef int _line, result
    for _line in range(LEADING_LINES_MAX):
        if cursor[0] < end and (cursor[0][0] == c'\r' or cursor[0][0] == c'\n'):
            result = start_line_end(cursor, end, observe, True, h)
            if result != OK:
                return result
    return OK


cdef int request_parse(char** cursor, char* end, const h1_limits* lim, field* table, head* h) noexcept nogil:
    cdef int result = leading_lines_skip(cursor, end, lim.observe, h)
    if result == OK:
        result = request_line_parse(cursor, end, lim.observe, h)
    if result == OK:
        result = h1_fields_parse(cursor, end, lim, True, table, h)
    if result == OK:
        result = h1_request_meaning(h, lim.observe)
    return result


cdef int response_parse(
    char** cursor, char* end, const h1_limits* lim, bint to_head_request, field* table, head* h
) noexcept nogil:
    cdef int result = status_line_parse(cursor, end, lim.observe, h)
    if result == OK:
        result = h1_fields_parse(cursor, end, lim, False, table, h)
    if result == OK:
        result = h1_response_meaning(h, lim.observe, to_head_request)
    return result


cdef inline bint is_waited_for(const char* at, size_t n, const h1_limits* lim) noexcept nogil:
    """Mending changes the buffer and must happen once: it waits for the whole head."""
    cdef size_t seen = 0
    return lim.observe and not h1_head_ended(at, n, &seen)


cdef int h1_parse_request(
    char* at, size_t n, const h1_limits* lim, field* table, head* h, size_t* used
) noexcept nogil:
    """Reads one request head.

    Returns  OK: `h` is filled and `used` bytes are the head, its empty line included.
             AGAIN: not complete, and shorter than head_max; `h` means nothing.
             A negative fault: the connection cannot be used any more.
    table    room for lim.fields_max fields, to be kept as long as `h`.
    """
    cdef char* p = at
    cdef int result
    memset(h, 0, sizeof(head))
    result = AGAIN if is_waited_for(at, n, lim) else request_parse(&p, at + n, lim, table, h)
    used[0] = <size_t>(p - at)
    if (n if result == AGAIN else used[0]) > lim.head_max:
        return -REQUEST_HEAD_TOO_LARGE
    h.bytes = <uint32_t>used[0]
    return result


cdef int h1_parse_response(
    char* at, size_t n, const h1_limits* lim, bint to_head_request, field* table, head* h, size_t* used
) noexcept nogil:
    """Reads one response head, interim ones too; otherwise as h1_parse_request.

    to_head_request  the answer ends with its head; `length` tells what a GET would have got.
    """
    cdef char* p = at
    cdef int result = AGAIN
    cdef bint begins_empty = n > 0 and (at[0] == c'\r' or at[0] == c'\n')
    memset(h, 0, sizeof(head))
    # An empty line is no head, though the search for the end of a head steps over it.
    if begins_empty or not is_waited_for(at, n, lim):
        result = response_parse(&p, at + n, lim, to_head_request, table, h)
    used[0] = <size_t>(p - at)
    if (n if result == AGAIN else used[0]) > lim.head_max:
        return -RESPONSE_HEAD_TOO_LARGE
    h.bytes = <uint32_t>used[0]
    return result
