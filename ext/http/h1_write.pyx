# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h1_write: bodies; the story is in h1_write.pxd.

Floor      http: may cimport ext.base, nothing else.
Never      checks what it writes: the parser did, or HTTP/2's library, or it is ours.
"""

from libc.string cimport memcpy, strlen

from ext.base.chain cimport chain, chain_commit, chain_reserve
from ext.base.faults cimport NO_MEMORY
from ext.base.result cimport OK
from ext.base.span cimport span
from ext.http.head cimport FIELD_CLEAN, HTTP_1_0, METHOD_OPTIONS, field, head, head_path

cdef enum:
    START_LINE_EXTRA = 32    # version, spaces, status, line end, and a "/" that the target may lack


cdef extern from * nogil:
    """
    /* Reason phrases of RFC 9110 15 and of the IANA registry. */
    static inline const char* reason_of(int status)
    {
        switch (status) {
        case 100: return "Continue";
        case 101: return "Switching Protocols";
        case 102: return "Processing";
        case 103: return "Early Hints";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 203: return "Non-Authoritative Information";
        case 204: return "No Content";
        case 205: return "Reset Content";
        case 206: return "Partial Content";
        case 207: return "Multi-Status";
        case 208: return "Already Reported";
        case 226: return "IM Used";
        case 300: return "Multiple Choices";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 303: return "See Other";
        case 304: return "Not Modified";
        case 305: return "Use Proxy";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 402: return "Payment Required";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 407: return "Proxy Authentication Required";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 411: return "Length Required";
        case 412: return "Precondition Failed";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 415: return "Unsupported Media Type";
        case 416: return "Range Not Satisfiable";
        case 417: return "Expectation Failed";
        case 421: return "Misdirected Request";
        case 422: return "Unprocessable Content";
        case 423: return "Locked";
        case 424: return "Failed Dependency";
        case 425: return "Too Early";
        case 426: return "Upgrade Required";
        case 428: return "Precondition Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 451: return "Unavailable For Legal Reasons";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        case 506: return "Variant Also Negotiates";
        case 507: return "Insufficient Storage";
        case 508: return "Loop Detected";
        case 511: return "Network Authentication Required";
        default: return "";
        }
    }
    """
    const char* reason_of(int status) noexcept


cdef inline char* put(char* to, const char* at, size_t n) noexcept nogil:
    memcpy(to, at, n)
    return to + n


cdef inline char* put_span(char* to, span s) noexcept nogil:
    return put(to, s.at, s.len) if s.len else to


cdef inline size_t fields_size(const head* h, const field* extra, int extra_count) noexcept nogil:
    """Bytes of the field section at most, its empty line included."""
    cdef size_t size = 2
    cdef const field* f = h.fields
    cdef const field* end = f + h.field_count
    cdef int i
    for i in range(extra_count):
        size += extra[i].name.len + extra[i].value.len + 4
    while f < end:
        size += f.raw_len if f.flags & FIELD_CLEAN else f.name.len + f.value.len + 4
        f += 1
    return size


cdef inline char* put_field(char* to, const field* f) noexcept nogil:
    to = put_span(to, f.name)
    to = put(to, b": ", 2)
    to = put_span(to, f.value)
    return put(to, b"\r\n", 2)


cdef inline char* put_fields(char* to, const head* h, const field* extra, int extra_count) noexcept nogil:
    """What the connection adds, the field lines, and the empty line."""
    cdef int i
    cdef const field* f = h.fields
    cdef const field* end = f + h.field_count
    cdef const char* run
    cdef size_t n
    for i in range(extra_count):
        to = put_field(to, &extra[i])
    while f < end:
        if f.flags & FIELD_CLEAN:
            run = f.name.at
            n = f.raw_len
            f += 1
            while f < end and f.flags & FIELD_CLEAN and f.name.at == run + n:
                n += f.raw_len
                f += 1
            to = put(to, run, n)
            continue
        to = put_field(to, f)
        f += 1
    return put(to, b"\r\n", 2)


cdef inline char* put_target(char* to, const head* h) noexcept nogil:
    """Origin form, also when the target came in absolute form (RFC 9112 3.2.1, 3.2.4)."""
    cdef span path = head_path(h)
    if path.len == 0:
        return put(to, b"*" if h.method == METHOD_OPTIONS else b"/", 1)
    if path.at[0] == c'?':
        to = put(to, b"/", 1)
    return put_span(to, path)


cdef int h1_write_request(chain* out, const head* h, const field* extra, int extra_count) noexcept nogil:
    """Appends method, target in origin form, HTTP/1.1, fields, empty line; OK or -NO_MEMORY."""
    cdef size_t size = h.method_text.len + h.target.len + START_LINE_EXTRA + fields_size(h, extra, extra_count)
    cdef char* start = chain_reserve(out, size)
    cdef char* to = start
    if start is NULL:
        return -NO_MEMORY
    to = put_span(to, h.method_text)
    to = put(to, b" ", 1)
    to = put_target(to, h)
    to = put(to, b" HTTP/1.1\r\n", 11)
    to = put_fields(to, h, extra, extra_count)
    chain_commit(out, <size_t>(to - start))
    return OK


cdef int h1_write_response(
    chain* out, const head* h, int version, const field* extra, int extra_count
) noexcept nogil:
    """Appends status line, fields, empty line; OK or -NO_MEMORY.

    version  HTTP_1_0 or HTTP_1_1: what the reader speaks, not what the head came in.
    A head without a reason gets the usual one of its status.
    """
    cdef const char* reason = h.reason.at
    cdef size_t reason_len = h.reason.len
    cdef size_t size
    cdef char* start
    cdef char* to
    if reason_len == 0:
        reason = reason_of(h.status)
        reason_len = strlen(reason)
    size = reason_len + START_LINE_EXTRA + fields_size(h, extra, extra_count)
    start = chain_reserve(out, size)
    if start is NULL:
        return -NO_MEMORY
    to = put(start, b"HTTP/1.0 " if version == HTTP_1_0 else b"HTTP/1.1 ", 9)
    to[0] = <char>(c'0' + h.status // 100)
    to[1] = <char>(c'0' + h.status // 10 % 10)
    to[2] = <char>(c'0' + h.status % 10)
    to[3] = c' '
    to = put(to + 4, reason, reason_len)
    to = put(to, b"\r\n", 2)
    to = put_fields(to, h, extra, extra_count)
    chain_commit(out, <size_t>(to - start))
    return OK


cdef int h1_write_trailers(chain* out, const head* h) noexcept nogil:
    """Appends the trailer fields and the empty line, to go behind the "0" line of the last chunk; OK or -NO_MEMORY."""
    cdef char* start = chain_reserve(out, fields_size(h, NULL, 0))
    if start is NULL:
        return -NO_MEMORY
    chain_commit(out, <size_t>(put_fields(start, h, NULL, 0) - start))
    return OK


cdef size_t h1_chunk_head(char* out, size_t n) noexcept nogil:
    """Writes the size line of a chunk of `n` bytes, 18 bytes at most; returns its length."""
    cdef size_t digits = 1
    cdef size_t i
    cdef int digit
    while digits < 16 and n >> (4 * digits):
        digits += 1
    for i in range(digits):
        digit = <int>(n >> (4 * (digits - 1 - i))) & 15
        out[i] = <char>(c'0' + digit if digit < 10 else c'a' + digit - 10)
    out[digits] = c'\r'
    out[digits + 1] = c'\n'
    return digits + 2
