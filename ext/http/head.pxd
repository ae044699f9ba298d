# cython: language_level=3
"""head: a request or response head, protocol-neutral.

A head borrows every byte it points to: from the buffer it was parsed in, or,
once kept, from the arena of its exchange. HTTP/2 pseudo-fields are not among
the fields: they are `method`, `scheme`, `authority`, `target` and `status`.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ext.base.arena cimport arena
from ext.base.span cimport span, span_of

cdef enum:
    HTTP_1_0 = 10
    HTTP_1_1 = 11
    HTTP_2 = 20

cdef enum method_id:
    METHOD_OTHER = 0
    METHOD_GET
    METHOD_HEAD
    METHOD_POST
    METHOD_PUT
    METHOD_DELETE
    METHOD_CONNECT
    METHOD_OPTIONS
    METHOD_TRACE
    METHOD_PATCH
    METHOD_COUNT

cdef enum framing:
    BODY_NONE = 0        # there is no body
    BODY_LENGTH          # head.length bytes (may be 0: the length was said)
    BODY_CHUNKED         # chunked, or an HTTP/2 stream without a length
    BODY_UNTIL_CLOSE     # a response that ends with its connection

cdef enum field_flag:
    FIELD_CLEAN = 1      # raw is exactly `name ":" OWS value OWS CRLF`: it may be forwarded as it is
    FIELD_NAMED_AWAY = 2  # Connection names it

cdef struct field:
    span name            # borrows: the head's bytes; as received
    span value           # borrows: the head's bytes; trimmed
    uint32_t raw_len     # bytes of the whole line from name.at, CRLF included; 0 when there is no such line
    uint8_t id           # of ext.http.names; 0 when unknown
    uint8_t flags        # field_flag

cdef struct head:
    uint8_t version              # HTTP_1_0, HTTP_1_1, HTTP_2
    uint8_t method               # method_id; requests
    uint8_t framing              # framing
    bint keep_alive              # HTTP/1: the connection may go on after this message
    bint expects_continue        # requests: Expect: 100-continue
    bint expects_other           # requests: another expectation
    bint wants_upgrade           # Connection: upgrade with an Upgrade field
    bint te_trailers             # requests: TE holds "trailers"
    int status                   # responses: 100 to 599
    int64_t length               # what Content-Length says, body bytes when framing is BODY_LENGTH; -1: not said
    span method_text             # borrows: requests
    span target                  # borrows: requests, as received ("/path?query", "*", absolute form)
    span scheme                  # borrows: requests; empty when not said
    span authority               # borrows: requests; of the absolute form or :authority, else of Host; may be empty
    span reason                  # borrows: responses, HTTP/1; may be empty
    span upgrade                 # borrows: value of Upgrade; empty when there is none
    field* fields                # borrows: the arena or the parser's table
    int field_count
    uint64_t seen                # bit n: a field with id n is among them (ids are below 64)
    uint64_t repeated            # bit n: more than one field with id n is among them
    uint64_t mended              # bit n: mend_cause n was mended (PENSTOCK_STRICT=observe)
    uint32_t bytes               # size of the head on the wire, HTTP/1

cdef enum mend_cause:
    MEND_LENGTHS = 0     # equal repeated Content-Length
    MEND_LINE_END        # bare LF
    MEND_FOLD            # folded line
    MEND_BOTH_LENGTHS    # Content-Length beside chunked
    MEND_NAME_SPACE      # space between name and colon, or, in a response, inside a name
    MEND_STATUS_SPACE    # no space behind the status code
    MEND_CHUNK_SPACE     # space around a chunk size
    MEND_CAUSES


cdef inline bint head_has(const head* h, int name_id) noexcept nogil:
    return (h.seen >> name_id) & 1


cdef inline const field* head_find(const head* h, int name_id) noexcept nogil:
    """The first field of that name; NULL when there is none."""
    cdef int i
    if not head_has(h, name_id):
        return NULL
    for i in range(h.field_count):
        if h.fields[i].id == name_id:
            return &h.fields[i]
    return NULL


cdef inline span head_path(const head* h) noexcept nogil:
    """The target without scheme and authority: path and query, or "*".

    Of an absolute form it may be empty or begin with "?": then "/" is meant
    before it (RFC 9112 3.2.4 for OPTIONS: an empty one means "*").
    """
    cdef size_t i = h.scheme.len + 3
    if h.target.len == 0 or h.target.at[0] == c'/' or h.target.at[0] == c'*' or h.target.len < i:
        return h.target
    while i < h.target.len and h.target.at[i] != c'/' and h.target.at[i] != c'?':
        i += 1
    return span_of(h.target.at + i, h.target.len - i)


cdef head* head_keep(const head* h, const char* start, size_t n, arena* a) noexcept nogil
