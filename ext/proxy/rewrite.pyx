# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""rewrite: bodies; the story is in rewrite.pxd.

Floor      proxy: may cimport every floor below.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from ext.base.arena cimport arena_take
from ext.base.faults cimport NO_MEMORY
from ext.base.result cimport OK
from ext.base.span cimport span, span_is_nocase, span_of
from ext.http.head cimport (
    BODY_CHUNKED,
    BODY_LENGTH,
    BODY_UNTIL_CLOSE,
    FIELD_NAMED_AWAY,
    HTTP_1_1,
    HTTP_2,
    field,
    head,
    head_has,
)
from ext.http.names cimport (
    NAME_CONTENT_LENGTH,
    NAME_DATE,
    NAME_FORWARDED,
    NAME_HOST,
    NAME_K_ORIGINAL_HOST,
    NAME_KNATIVE_SERVING_NAMESPACE,
    NAME_KNATIVE_SERVING_REVISION,
    NAME_TE,
    NAME_TRACEPARENT,
    NAME_TRACESTATE,
    NAME_TRAILER,
    NAME_X_FORWARDED_FOR,
    NAME_IS_HOP,
    name_flags,
)
from ext.proxy.context cimport DATE_BYTES, proxy_date
from ext.proxy.exchange cimport exchange
from ext.proxy.forwarded cimport forwarded_value
from ext.proxy.route cimport route_trusts
from ext.proxy.trace cimport TRACE_NEW, trace_parent_value

cdef uint64_t NEVER_UP = (
    (<uint64_t>1 << NAME_HOST)
    | (<uint64_t>1 << NAME_X_FORWARDED_FOR)
    | (<uint64_t>1 << NAME_K_ORIGINAL_HOST)
    | (<uint64_t>1 << NAME_KNATIVE_SERVING_REVISION)
    | (<uint64_t>1 << NAME_KNATIVE_SERVING_NAMESPACE)
)


cdef void put(head* out, const char* name, size_t name_n, int id, span value) noexcept nogil:
    cdef field* f = &out.fields[out.field_count]
    f.name = span_of(name, name_n)
    f.value = value
    f.raw_len = 0
    f.id = <uint8_t>id
    f.flags = 0
    out.field_count += 1
    out.seen |= <uint64_t>1 << id


cdef void copy_fields(const head* h, head* out, uint64_t dropped) noexcept nogil:
    """All fields but hop-by-hop ones, those that Connection names, and those with an id in `dropped`."""
    cdef const field* f
    cdef int i
    cdef uint64_t seen = 0
    cdef int count = 0
    for i in range(h.field_count):
        f = &h.fields[i]
        if f.flags & FIELD_NAMED_AWAY or (f.id and ((dropped >> f.id) & 1 or name_flags(f.id) & NAME_IS_HOP)):
            continue
        out.fields[count] = f[0]
        seen |= <uint64_t>1 << f.id
        count += 1
    out.field_count = count
    out.seen = seen


cdef uint64_t trailer_dropped(const head* h, uint8_t version) noexcept nogil:
    """The bit of `Trailer`, or 0 where trailers can come with this message and go on in `version` (RFC 9110 6.6.2)."""
    cdef bint passes
    if h.framing == BODY_LENGTH:
        passes = h.version == HTTP_2 and version == HTTP_2
    else:
        passes = h.framing == BODY_CHUNKED and version >= HTTP_1_1
    return 0 if passes else <uint64_t>1 << NAME_TRAILER


cdef span joined(exchange* x, const head* h, int name_id, span last) noexcept nogil:
    """All values of a field and one more, as one list; the empty ones are left out."""
    cdef size_t n = last.len
    cdef int i
    cdef int count = 0
    cdef char* at
    cdef char* start
    for i in range(h.field_count):
        if h.fields[i].id == name_id and h.fields[i].value.len:
            n += h.fields[i].value.len + 2
            count += 1
    if count == 0:
        return last
    start = <char*>arena_take(x.mem, n)
    if start is NULL:
        return last
    at = start
    for i in range(h.field_count):
        if h.fields[i].id == name_id and h.fields[i].value.len:
            memcpy(at, h.fields[i].value.at, h.fields[i].value.len)
            at += h.fields[i].value.len
            memcpy(at, b", ", 2)
            at += 2
    memcpy(at, last.at, last.len)
    return span_of(start, n)


cdef span host_for_app(exchange* x, const head* h) noexcept nogil:
    """The authority that the app sees: K-Original-Host, the caller's, or the app's own address."""
    cdef int i
    if head_has(h, NAME_K_ORIGINAL_HOST) and route_trusts(x):
        for i in range(h.field_count):
            if h.fields[i].id == NAME_K_ORIGINAL_HOST and h.fields[i].value.len:
                return h.fields[i].value
    if h.authority.len:
        return h.authority
    return span_of(x.to.endpoints[0].name, <size_t>x.to.endpoints[0].name_len)


cdef int rewrite_request(exchange* x, head* out) noexcept nogil:
    """What the app sees of the request (spec 1.11)."""
    cdef const head* h = x.request
    cdef span value
    cdef uint64_t dropped = NEVER_UP | trailer_dropped(h, x.up.version)
    out[0] = h[0]
    out.fields = <field*>arena_take(x.mem, sizeof(field) * <size_t>(h.field_count + 6))
    if out.fields is NULL:
        return -NO_MEMORY
    if h.framing == BODY_CHUNKED:
        dropped |= <uint64_t>1 << NAME_CONTENT_LENGTH
    if x.trace_flags:
        dropped |= <uint64_t>1 << NAME_TRACEPARENT
    if x.trace_flags & TRACE_NEW:
        dropped |= <uint64_t>1 << NAME_TRACESTATE
    copy_fields(h, out, dropped)
    out.authority = host_for_app(x, h)
    if span_is_nocase(h.upgrade, b"h2c", 3):
        out.wants_upgrade = False
    value = trace_parent_value(x)
    if value.len:
        put(out, b"traceparent", 11, NAME_TRACEPARENT, value)
    if h.te_trailers:
        put(out, b"TE", 2, NAME_TE, span_of(b"trailers", 8))
    value = forwarded_value(x, h)
    if value.len:
        put(out, b"Forwarded", 9, NAME_FORWARDED, value)
    if x.down.via is not NULL:
        value = joined(x, h, NAME_X_FORWARDED_FOR, span_of(x.down.via.peer_text, x.down.via.peer_len))
        put(out, b"X-Forwarded-For", 15, NAME_X_FORWARDED_FOR, value)
    return OK


cdef int rewrite_response(exchange* x, const head* h, head* out) noexcept nogil:
    """What the caller sees of an answer; a Date where the app gave none (RFC 9110 6.6.1)."""
    cdef uint64_t dropped = trailer_dropped(h, x.request.version)
    out[0] = h[0]
    out.fields = <field*>arena_take(x.mem, sizeof(field) * <size_t>(h.field_count + 1))
    if out.fields is NULL:
        return -NO_MEMORY
    if h.framing == BODY_CHUNKED or h.framing == BODY_UNTIL_CLOSE or h.status < 200 or h.status == 204:
        dropped |= <uint64_t>1 << NAME_CONTENT_LENGTH
    copy_fields(h, out, dropped)
    out.keep_alive = True   # what the app says about its own connection ends here
    if h.status >= 200 and not head_has(out, NAME_DATE):
        put(out, b"Date", 4, NAME_DATE, span_of(proxy_date(x.home), DATE_BYTES))
    return OK


cdef int rewrite_trailers(exchange* x, const head* h, head* out) noexcept nogil:
    """Trailers pass but for fields that frame, route or belong to one hop (RFC 9110 6.5.1)."""
    out[0] = h[0]
    out.fields = <field*>arena_take(x.mem, sizeof(field) * <size_t>(h.field_count + 1))
    if out.fields is NULL:
        return -NO_MEMORY
    copy_fields(h, out, (<uint64_t>1 << NAME_CONTENT_LENGTH) | (<uint64_t>1 << NAME_HOST))
    return OK
