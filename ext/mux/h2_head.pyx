# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h2_head: bodies; the story is in h2_head.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
Takes      fields one by one, in the order of their arrival.
Gives      heads of ext.http.head in an arena, and rows for nghttp2.
Never      talks to a session.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from ext.base.arena cimport arena, arena_copy, arena_take
from ext.base.faults cimport (
    BAD_REQUEST_HOST,
    BAD_REQUEST_TARGET,
    BAD_REQUEST_TRAILER,
    BAD_RESPONSE_TRAILER,
    NO_MEMORY,
    REQUEST_HEAD_TOO_LARGE,
    REQUEST_TRAILER_TOO_LARGE,
    RESPONSE_HEAD_TOO_LARGE,
    RESPONSE_TRAILER_TOO_LARGE,
)
from ext.base.result cimport OK
from ext.base.span cimport span, span_equals_nocase, span_is_nocase, span_number, span_of
from ext.http.h1_meaning cimport h1_host_is_valid
from ext.http.h1_parse cimport method_of
from ext.http.head cimport (
    BODY_CHUNKED,
    BODY_LENGTH,
    BODY_NONE,
    FIELD_CLEAN,
    HTTP_2,
    METHOD_CONNECT,
    METHOD_OPTIONS,
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
    NAME_HTTP2_SETTINGS,
    NAME_IS_FRAMING,
    NAME_IS_HEAD,
    NAME_KEEP_ALIVE,
    NAME_PROXY_CONNECTION,
    NAME_TE,
    NAME_TRANSFER_ENCODING,
    NAME_UPGRADE,
    name_flags,
    name_lookup,
)
from ext.mux.h2_session cimport h2_intake
from ext.mux.nghttp2 cimport NGHTTP2_NV_FLAG_NONE, nghttp2_nv

cdef enum:
    FIELDS_FIRST = 24     # of a head before its table grows: 960 bytes of the arena's first chunk
    TEXT_FIRST = 640      # bytes of lines that are taken at once
    FIELD_COST = 32       # what a field counts beside its text (RFC 9113 6.5.2)

# Fields of one connection, which HTTP/2 does not know (RFC 9113 8.2.2).
cdef uint64_t CONNECTION_FIELDS = (
    (<uint64_t>1 << NAME_CONNECTION)
    | (<uint64_t>1 << NAME_KEEP_ALIVE)
    | (<uint64_t>1 << NAME_PROXY_CONNECTION)
    | (<uint64_t>1 << NAME_TRANSFER_ENCODING)
    | (<uint64_t>1 << NAME_UPGRADE)
    | (<uint64_t>1 << NAME_HTTP2_SETTINGS)
    | (<uint64_t>1 << NAME_HOST)
    | (<uint64_t>1 << NAME_TE)
)


# ── in ────────────────────────────────────────────────────────────────────

cdef int h2_intake_begin(h2_intake* k, arena* mem) noexcept nogil:
    """A head or trailer section begins; `mem` may be NULL, which is a fault."""
    memset(k, 0, sizeof(h2_intake))
    k.mem = mem
    k.h.version = HTTP_2
    k.h.keep_alive = True
    k.h.length = -1
    if mem is NULL:
        return -NO_MEMORY
    k.h.fields = <field*>arena_take(mem, FIELDS_FIRST * sizeof(field))
    if k.h.fields is NULL:
        return -NO_MEMORY
    k.room = FIELDS_FIRST
    return OK


cdef char* text_take(h2_intake* k, size_t n) noexcept nogil:
    """`n` bytes beside the ones taken before, so that neighbouring lines lie side by side."""
    cdef char* at
    if k.text_room < n:
        k.text_room = n if n > TEXT_FIRST else TEXT_FIRST
        k.text = <char*>arena_take(k.mem, k.text_room)
        if k.text is NULL:
            k.text_room = 0
            k.fault = NO_MEMORY
            return NULL
    at = k.text
    k.text += n
    k.text_room -= n
    return at


cdef bint fields_grow(h2_intake* k) noexcept nogil:
    cdef field* larger = <field*>arena_take(k.mem, 2 * <size_t>k.room * sizeof(field))
    if larger is NULL:
        k.fault = NO_MEMORY
        return False
    memcpy(larger, k.h.fields, <size_t>k.room * sizeof(field))
    k.h.fields = larger
    k.room *= 2
    return True


cdef void pseudo_field(h2_intake* k, const char* name, size_t n, const char* value, size_t value_len) noexcept nogil:
    """nghttp2 lets each through once, and only those that exist."""
    cdef char* at = text_take(k, value_len)
    cdef span text = span_of(at, value_len)
    if at is NULL:
        return
    memcpy(at, value, value_len)
    if n == 5:
        k.h.target = text
    elif n == 10:
        k.h.authority = text
    elif memcmp(name, b":method", 7) == 0:
        k.h.method_text = text
        k.h.method = method_of(text.at, text.len)
    elif memcmp(name, b":status", 7) == 0:
        k.h.status = <int>span_number(text)
    else:
        k.h.scheme = text


cdef void h2_intake_field(
    h2_intake* k, const char* name, size_t name_len, const char* value, size_t value_len, size_t bytes_max,
    int fields_max,
) noexcept nogil:
    """Keeps one field; what is too much is counted and forgotten, and `fault` says so."""
    cdef field* f
    cdef char* at
    cdef uint64_t bit
    k.bytes += name_len + value_len + FIELD_COST
    if k.bytes > bytes_max or k.h.field_count >= fields_max:
        k.fault = REQUEST_HEAD_TOO_LARGE
    if k.fault:
        return
    if name[0] == b':':
        pseudo_field(k, name, name_len, value, value_len)
        return
    if k.h.field_count == k.room and not fields_grow(k):
        return
    at = text_take(k, name_len + value_len + 4)
    if at is NULL:
        return
    memcpy(at, name, name_len)
    memcpy(at + name_len, b": ", 2)
    memcpy(at + name_len + 2, value, value_len)
    memcpy(at + name_len + 2 + value_len, b"\r\n", 2)
    f = &k.h.fields[k.h.field_count]
    k.h.field_count += 1
    f.name = span_of(at, name_len)
    f.value = span_of(at + name_len + 2, value_len)
    f.raw_len = <uint32_t>(name_len + value_len + 4)
    f.id = name_lookup(at, name_len)
    f.flags = FIELD_CLEAN
    if f.id:
        bit = <uint64_t>1 << f.id
        k.h.repeated |= k.h.seen & bit
        k.h.seen |= bit


cdef bint target_is_valid(const head* h) noexcept nogil:
    """No control character, space or `#`; a leading `/`, or `*` with OPTIONS."""
    cdef size_t i
    cdef unsigned char c
    if h.target.len == 0:
        return False
    if h.target.at[0] != b'/' and not (h.target.len == 1 and h.target.at[0] == b'*' and h.method == METHOD_OPTIONS):
        return False
    for i in range(h.target.len):
        c = <unsigned char>h.target.at[i]
        if c <= 32 or c == 127 or c == c'#':
            return False
    return True


cdef int authority_of(head* h) noexcept nogil:
    """:authority, else Host; both must say the same (RFC 9113 8.3.1)."""
    cdef const field* host = head_find(h, NAME_HOST)
    if host is not NULL:
        if (h.repeated >> NAME_HOST) & 1:
            return -BAD_REQUEST_HOST
        if h.authority.len == 0:
            h.authority = host.value
        elif not span_equals_nocase(h.authority, host.value):
            return -BAD_REQUEST_HOST
    if h.authority.len and not h1_host_is_valid(h.authority.at, h.authority.len):
        return -BAD_REQUEST_HOST
    return OK


cdef void length_of(head* h, bint last) noexcept nogil:
    """Framing as HTTP/1 would call it; nghttp2 has checked the number and holds DATA to it."""
    cdef const field* f = head_find(h, NAME_CONTENT_LENGTH)
    if f is not NULL:
        h.length = span_number(f.value)
        h.framing = BODY_LENGTH
    else:
        h.framing = BODY_NONE if last else BODY_CHUNKED


cdef int h2_intake_request(h2_intake* k, bint last) noexcept nogil:
    """The head is complete: what it means, or its fault."""
    cdef head* h = &k.h
    cdef int result, i
    if k.fault:
        return -k.fault
    length_of(h, last)
    result = authority_of(h)
    if result < 0:
        return result
    if h.method != METHOD_CONNECT and not target_is_valid(h):
        return -BAD_REQUEST_TARGET
    h.te_trailers = head_has(h, NAME_TE)   # nghttp2 lets no other value through
    if head_has(h, NAME_EXPECT):
        for i in range(h.field_count):
            if h.fields[i].id != NAME_EXPECT:
                continue
            if span_is_nocase(h.fields[i].value, b"100-continue", 12):
                h.expects_continue = True
            else:
                h.expects_other = True
    return OK


cdef int h2_intake_response(h2_intake* k, bint last, bint to_head) noexcept nogil:
    """The same for a response; to_head: the request was HEAD."""
    cdef head* h = &k.h
    if k.fault:
        return -RESPONSE_HEAD_TOO_LARGE if k.fault == REQUEST_HEAD_TOO_LARGE else -k.fault
    length_of(h, last)
    if to_head or h.status < 200 or h.status == 204 or h.status == 304:
        h.framing = BODY_NONE
    return OK


cdef int h2_intake_trailers(h2_intake* k, bint of_request) noexcept nogil:
    """Fields without meaning in a trailer section are dropped, those that frame or route are refused."""
    cdef head* h = &k.h
    cdef int i, kept = 0
    cdef uint8_t flags
    if k.fault == REQUEST_HEAD_TOO_LARGE:
        return -REQUEST_TRAILER_TOO_LARGE if of_request else -RESPONSE_TRAILER_TOO_LARGE
    if k.fault:
        return -k.fault
    h.seen = 0
    for i in range(h.field_count):
        flags = name_flags(h.fields[i].id)
        if flags & NAME_IS_FRAMING:
            return -BAD_REQUEST_TRAILER if of_request else -BAD_RESPONSE_TRAILER
        if flags & NAME_IS_HEAD:
            continue
        h.fields[kept] = h.fields[i]
        kept += 1
        if h.fields[i].id:
            h.seen |= <uint64_t>1 << h.fields[i].id
    h.field_count = kept
    return OK


# ── out ───────────────────────────────────────────────────────────────────

cdef inline void nv_set(nghttp2_nv* nv, const char* name, size_t n, const char* value, size_t value_len) noexcept nogil:
    nv.name = <uint8_t*>name
    nv.namelen = n
    nv.value = <uint8_t*>value
    nv.valuelen = value_len
    nv.flags = NGHTTP2_NV_FLAG_NONE


cdef size_t fields_out(const head* h, nghttp2_nv* nva, size_t used) noexcept nogil:
    cdef const field* f
    cdef int i
    for i in range(h.field_count):
        f = &h.fields[i]
        if (CONNECTION_FIELDS >> f.id) & 1 and f.id:
            continue
        nv_set(&nva[used], f.name.at, f.name.len, f.value.at, f.value.len)
        used += 1
    return used


cdef size_t h2_request_out(const head* h, bint over_tls, nghttp2_nv* nva) noexcept nogil:
    """Rows for a request head; `nva` has room for its fields, NV_PSEUDO and TE."""
    cdef size_t used = 0
    cdef const field* host
    cdef span authority = h.authority
    nv_set(&nva[used], b":method", 7, h.method_text.at, h.method_text.len)
    used += 1
    if h.method != METHOD_CONNECT:
        nv_set(&nva[used], b":scheme", 7, b"https" if over_tls else b"http", 5 if over_tls else 4)
        nv_set(&nva[used + 1], b":path", 5, h.target.at, h.target.len)
        used += 2
    host = head_find(h, NAME_HOST)
    if host is not NULL:
        authority = host.value
    if authority.len:
        nv_set(&nva[used], b":authority", 10, authority.at, authority.len)
        used += 1
    used = fields_out(h, nva, used)
    if h.te_trailers:
        nv_set(&nva[used], b"te", 2, b"trailers", 8)
        used += 1
    return used


cdef size_t h2_response_out(const head* h, char* status, nghttp2_nv* nva) noexcept nogil:
    """Rows for a response head; `status` is room for three digits."""
    status[0] = <char>(c'0' + h.status // 100)
    status[1] = <char>(c'0' + h.status // 10 % 10)
    status[2] = <char>(c'0' + h.status % 10)
    nv_set(&nva[0], b":status", 7, status, 3)
    return fields_out(h, nva, 1)


cdef size_t h2_trailers_out(const head* h, nghttp2_nv* nva) noexcept nogil:
    return fields_out(h, nva, 0)


cdef head* h2_trailers_keep(const head* h, arena* mem) noexcept nogil:
    """A copy of a trailer section; NULL when there is no memory."""
    cdef head* kept = <head*>arena_take(mem, sizeof(head))
    cdef int i
    if kept is NULL:
        return NULL
    kept[0] = h[0]
    kept.fields = <field*>arena_take(mem, <size_t>h.field_count * sizeof(field))
    if kept.fields is NULL:
        return NULL
    for i in range(h.field_count):
        kept.fields[i] = h.fields[i]
        kept.fields[i].name = arena_copy(mem, h.fields[i].name.at, h.fields[i].name.len)
        kept.fields[i].value = arena_copy(mem, h.fields[i].value.at, h.fields[i].value.len)
        if kept.fields[i].name.at is NULL or kept.fields[i].value.at is NULL:
            return NULL
    return kept
