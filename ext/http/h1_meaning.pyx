# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h1_meaning: bodies; the story is in h1_meaning.pxd.

Floor      http: may cimport ext.base, nothing else.
Takes      a head whose fields are parsed.
Gives      framing, length, authority, upgrade and the other statements of the
           head, or the fault of whoever sent it.
"""

from libc.stdint cimport uint64_t

from ext.base.faults cimport (
    BAD_REQUEST_CODING,
    BAD_REQUEST_FIELD,
    BAD_REQUEST_FRAMING,
    BAD_REQUEST_HOST,
    BAD_REQUEST_LENGTH,
    BAD_RESPONSE_CODING,
    BAD_RESPONSE_FIELD,
    BAD_RESPONSE_FRAMING,
    BAD_RESPONSE_LENGTH,
    UNKNOWN_REQUEST_CODING,
)
from ext.base.result cimport OK
from ext.base.span cimport (
    ascii_lower,
    span,
    span_equals,
    span_equals_nocase,
    span_is_nocase,
    span_next,
    span_number,
)
from ext.http.h1_fields cimport refusal
from ext.http.head cimport (
    BODY_CHUNKED,
    BODY_LENGTH,
    BODY_NONE,
    BODY_UNTIL_CLOSE,
    FIELD_CLEAN,
    FIELD_NAMED_AWAY,
    HTTP_1_0,
    HTTP_1_1,
    MEND_BOTH_LENGTHS,
    MEND_LENGTHS,
    field,
    head,
    head_find,
    head_has,
)
from ext.http.names cimport (
    NAME_CONNECTION,
    NAME_CONTENT_LENGTH,
    NAME_EXPECT,
    NAME_HOST,
    NAME_IS_PLATFORM,
    NAME_KEEP_ALIVE,
    NAME_TE,
    NAME_TRANSFER_ENCODING,
    NAME_UPGRADE,
    name_flags,
    name_lookup,
)
from ext.http.scan cimport SCAN_DIGIT, SCAN_HEX, SCAN_HOST, SCAN_TOKEN, scan_is, scan_while

cdef enum option:
    OPTION_CLOSE = 1
    OPTION_KEEP_ALIVE = 2
    OPTION_UPGRADE = 4

cdef enum:
    NAMED_AWAY_MAX = 64    # each is looked for among all fields: a bound on that work


cdef inline bint is_repeated(const head* h, int name_id) noexcept nogil:
    return (h.repeated >> name_id) & 1


cdef void fields_drop(head* h, int name_id) noexcept nogil:
    """Takes every field of that name out of the table: it is not to be forwarded."""
    cdef int i
    cdef int kept = 0
    for i in range(h.field_count):
        if h.fields[i].id != name_id:
            h.fields[kept] = h.fields[i]
            kept += 1
    h.field_count = kept
    h.seen &= ~(<uint64_t>1 << name_id)
    h.repeated &= ~(<uint64_t>1 << name_id)


# Connection


cdef void fields_name_away(head* h, span name) noexcept nogil:
    """Marks the fields of that name, unless it is one that Connection has no power over."""
    cdef int name_id = name_lookup(name.at, name.len)
    cdef int i
    if name_flags(name_id) & NAME_IS_PLATFORM:
        return
    for i in range(h.field_count):
        if span_equals_nocase(h.fields[i].name, name):
            h.fields[i].flags |= FIELD_NAMED_AWAY


cdef inline int option_of(span item) noexcept nogil:
    """The option bit of one element; 0 for a name of a field."""
    cdef int name_id
    if item.len == 5:
        return OPTION_CLOSE if span_is_nocase(item, b"close", 5) else 0
    name_id = name_lookup(item.at, item.len)
    if name_id == NAME_KEEP_ALIVE:
        return OPTION_KEEP_ALIVE
    return OPTION_UPGRADE if name_id == NAME_UPGRADE else 0


cdef int connection_options(head* h, bint of_request) noexcept nogil:
    """The options of all Connection lines, as option bits; other names are named away."""
    cdef int options = 0
    cdef int named = 0
    cdef int i, option
    cdef span rest, item
    for i in range(h.field_count):
        if h.fields[i].id != NAME_CONNECTION:
            continue
        rest = h.fields[i].value
        option = option_of(rest)
        if option:
            # Nearly every line holds one option alone: 15 ns less than taking it apart.
            options |= option
            continue
        while span_next(&rest, &item):
            option = option_of(item)
            options |= option
            if option or item.len == 0:
                continue
            named += 1
            if named > NAMED_AWAY_MAX:
                return refusal(of_request, BAD_REQUEST_FIELD, BAD_RESPONSE_FIELD)
            fields_name_away(h, item)
    return options


cdef int connection_meaning(head* h, bint of_request) noexcept nogil:
    """Whether the connection goes on, and whether it may turn into another protocol (RFC 9112 9.3, RFC 9110 7.8)."""
    cdef int options = connection_options(h, of_request) if head_has(h, NAME_CONNECTION) else 0
    cdef const field* f
    if options < 0:
        return options
    if h.version == HTTP_1_1:
        h.keep_alive = (options & OPTION_CLOSE) == 0
        f = head_find(h, NAME_UPGRADE)
        if f is not NULL:
            h.upgrade = f.value
            h.wants_upgrade = (options & OPTION_UPGRADE) != 0 and f.value.len > 0
    else:
        h.keep_alive = (options & (OPTION_KEEP_ALIVE | OPTION_CLOSE)) == OPTION_KEEP_ALIVE
    return OK


# Content-Length


cdef bint length_is_list(field* f) noexcept nogil:
    """A list of equal numbers ("5, 5") is cut to its first."""
    cdef span rest = f.value
    cdef span first, item
    if not span_next(&rest, &first) or rest.at is NULL:
        return False
    while span_next(&rest, &item):
        if not span_equals(first, item):
            return False
    f.value = first
    f.flags &= ~FIELD_CLEAN
    f.raw_len = 0
    return True


cdef int length_meaning(head* h, bint observe, bint of_request) noexcept nogil:
    """The number that Content-Length says, into head.length; mends equal repeated ones when observing."""
    cdef int refused = refusal(of_request, BAD_REQUEST_LENGTH, BAD_RESPONSE_LENGTH)
    cdef field* first = NULL
    cdef field* f
    cdef int i
    cdef int kept = 0
    if is_repeated(h, NAME_CONTENT_LENGTH) and not observe:
        return refused
    for i in range(h.field_count):
        f = &h.fields[i]
        if f.id == NAME_CONTENT_LENGTH:
            if observe and length_is_list(f):
                h.mended |= 1 << MEND_LENGTHS
            if first is not NULL:
                if not span_equals(first.value, f.value):
                    return refused
                h.mended |= 1 << MEND_LENGTHS
                continue
            first = &h.fields[kept]
            h.length = span_number(f.value)
            if h.length < 0:
                return refused
        h.fields[kept] = f[0]
        kept += 1
    h.field_count = kept
    h.repeated &= ~(<uint64_t>1 << NAME_CONTENT_LENGTH)
    return OK


# Transfer-Encoding


cdef bint holds_chunked(span s) noexcept nogil:
    """ "chunked" is somewhere in it, whatever the case."""
    cdef const char* word = b"chunked"
    cdef size_t i, k
    for i in range(s.len):
        k = 0
        while k < 7 and i + k < s.len and ascii_lower(s.at[i + k]) == word[k]:
            k += 1
        if k == 7:
            return True
    return False


cdef int coding_refusal(span value) noexcept nogil:
    """Why a request's Transfer-Encoding that is not "chunked" is refused.

    Codings that exist but are not ours give 501; whatever some parser could
    take for chunked, or for nothing, gives 400 (RFC 9112 6.1, 6.3).
    """
    cdef span rest = value
    cdef span item
    while span_next(&rest, &item):
        if item.len == 0 or scan_while(item.at, item.at + item.len, SCAN_TOKEN) != item.at + item.len:
            return -BAD_REQUEST_CODING
        if span_is_nocase(item, b"chunked", 7):
            if rest.at is not NULL or item.at == value.at:
                return -BAD_REQUEST_CODING
        elif holds_chunked(item):
            return -BAD_REQUEST_CODING
    return -UNKNOWN_REQUEST_CODING


cdef int coding_meaning(head* h, bint of_request) noexcept nogil:
    cdef const field* f = head_find(h, NAME_TRANSFER_ENCODING)
    if h.version == HTTP_1_0 or is_repeated(h, NAME_TRANSFER_ENCODING):
        return refusal(of_request, BAD_REQUEST_CODING, BAD_RESPONSE_CODING)
    if span_is_nocase(f.value, b"chunked", 7):
        return OK
    return coding_refusal(f.value) if of_request else -BAD_RESPONSE_CODING


cdef int framing_meaning(head* h, bint observe, bint of_request) noexcept nogil:
    """How the body ends, for messages that may have one (RFC 9112 6.3)."""
    cdef bint coded = head_has(h, NAME_TRANSFER_ENCODING)
    cdef int result
    h.length = -1
    if coded:
        result = coding_meaning(h, of_request)
        if result != OK:
            return result
    if head_has(h, NAME_CONTENT_LENGTH):
        if coded and not observe:
            return refusal(of_request, BAD_REQUEST_FRAMING, BAD_RESPONSE_FRAMING)
        result = length_meaning(h, observe, of_request)
        if result != OK:
            return result
        if coded:
            # Whoever sent both may be a smuggler, or be one's victim: nothing more is read from him (RFC 9112 6.1).
            fields_drop(h, NAME_CONTENT_LENGTH)
            h.length = -1
            h.keep_alive = False
            h.mended |= 1 << MEND_BOTH_LENGTHS
    if coded:
        h.framing = BODY_CHUNKED
    elif h.length >= 0:
        h.framing = BODY_LENGTH
    else:
        h.framing = BODY_NONE if of_request else BODY_UNTIL_CLOSE
    return OK


# Host


cdef bint ends_as_port(const char* at, const char* end) noexcept nogil:
    """Nothing, or ":" and a port number of at most five digits, which may be empty (RFC 3986 3.2.3)."""
    if at == end:
        return True
    return at[0] == c':' and end - at <= 6 and scan_while(at + 1, end, SCAN_DIGIT) == end


cdef bint h1_host_is_valid(const char* at, size_t n) noexcept nogil:
    """A host that is not empty, with or without a port (RFC 3986 3.2.2: name, IPv4, or IPv6 in brackets)."""
    cdef const char* end = at + n
    cdef const char* p
    if n and at[0] == c'[':
        p = at + 1
        while p < end and (scan_is(p[0], SCAN_HEX) or p[0] == c':' or p[0] == c'.'):
            p += 1
        return p - at > 2 and p < end and p[0] == c']' and ends_as_port(p + 1, end)
    p = scan_while(at, end, SCAN_HOST)
    return p > at and ends_as_port(p, end)


cdef int host_meaning(head* h) noexcept nogil:
    """The authority, from the absolute form or else from Host; 1.1 must have a Host all the same (RFC 9112 3.2)."""
    cdef const field* host = head_find(h, NAME_HOST)
    if host is NULL:
        return OK if h.version == HTTP_1_0 else -BAD_REQUEST_HOST
    if is_repeated(h, NAME_HOST) or (host.value.len and not h1_host_is_valid(host.value.at, host.value.len)):
        return -BAD_REQUEST_HOST
    if h.scheme.len == 0:
        h.authority = host.value
    return OK


# What only requests say


cdef void expect_meaning(head* h) noexcept nogil:
    """Expectations of HTTP/1.0 are ignored (RFC 9110 10.1.1)."""
    cdef int i
    cdef span rest, item
    if h.version == HTTP_1_0:
        return
    for i in range(h.field_count):
        if h.fields[i].id != NAME_EXPECT:
            continue
        rest = h.fields[i].value
        while span_next(&rest, &item):
            if span_is_nocase(item, b"100-continue", 12):
                h.expects_continue = True
            elif item.len:
                h.expects_other = True


cdef void te_meaning(head* h) noexcept nogil:
    cdef int i
    cdef span rest, item
    for i in range(h.field_count):
        if h.fields[i].id != NAME_TE:
            continue
        rest = h.fields[i].value
        while span_next(&rest, &item):
            if span_is_nocase(item, b"trailers", 8):
                h.te_trailers = True


cdef int h1_request_meaning(head* h, bint observe) noexcept nogil:
    cdef int result = host_meaning(h)
    if result != OK:
        return result
    result = connection_meaning(h, True)
    if result == OK:
        result = framing_meaning(h, observe, True)
    if result != OK:
        return result
    if head_has(h, NAME_EXPECT):
        expect_meaning(h)
    if head_has(h, NAME_TE):
        te_meaning(h)
    return OK


cdef int h1_response_meaning(head* h, bint observe, bint to_head_request) noexcept nogil:
    """Statuses without a body end with their head, whatever they say (RFC 9112 6.3, rule 1).

    An interim response that announces a body is refused. From a 204 that does,
    the announcement is taken out and nothing more is read from its sender.
    """
    cdef bint bodiless = to_head_request or h.status < 200 or h.status == 204 or h.status == 304
    cdef int result = connection_meaning(h, False)
    if result == OK:
        result = framing_meaning(h, observe, False)
    if result != OK:
        return result
    if h.status < 200 or h.status == 204:
        if h.framing == BODY_CHUNKED or h.length > 0:
            if h.status < 200:
                return -BAD_RESPONSE_FRAMING
            h.keep_alive = False
        fields_drop(h, NAME_TRANSFER_ENCODING)
        fields_drop(h, NAME_CONTENT_LENGTH)
        h.length = -1
    if bodiless:
        h.framing = BODY_NONE
    elif h.framing == BODY_UNTIL_CLOSE:
        h.keep_alive = False
    return OK
