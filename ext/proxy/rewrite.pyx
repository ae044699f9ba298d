# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""rewrite: bodies; the story is in rewrite.pxd.

Floor      proxy: may cimport every floor below.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from ext.base.arena cimport arena_take
from ext.base.faults cimport NO_MEMORY
from ext.base.result cimport OK
from ext.base.span cimport span, span_equals_nocase, span_is_nocase, span_of
from ext.http.head cimport (
    BODY_CHUNKED,
    BODY_LENGTH,
    BODY_UNTIL_CLOSE,
    FIELD_NAMED_AWAY,
    HTTP_1_1,
    HTTP_2,
    field,
    head,
    head_find,
    head_has,
)
from ext.http.names cimport (
    NAME_CONTENT_LENGTH,
    NAME_DATE,
    NAME_FORWARDED,
    NAME_HOST,
    NAME_K_NETWORK_HASH,
    NAME_K_ORIGINAL_HOST,
    NAME_K_PASSTHROUGH_LB,
    NAME_K_PROXY_REQUEST,
    NAME_KNATIVE_SERVING_NAMESPACE,
    NAME_KNATIVE_SERVING_REVISION,
    NAME_SERVER_TIMING,
    NAME_TE,
    NAME_TRACEPARENT,
    NAME_TRACESTATE,
    NAME_TRAILER,
    NAME_X_FORWARDED_FOR,
    NAME_X_FORWARDED_HOST,
    NAME_X_FORWARDED_PROTO,
    NAME_X_REQUEST_ID,
    NAME_IS_HOP,
    name_flags,
)
from ext.proxy.cold cimport cold_answered
from ext.proxy.context cimport DATE_BYTES, proxy_date, proxy_of, proxy_random
from ext.proxy.exchange cimport exchange, exchange_is_tls
from ext.proxy.forwarded cimport forwarded_value
from ext.proxy.plan cimport ROLE_ACTIVATOR, ROLE_SIDECAR
from ext.proxy.route cimport route_hash, route_trusts
from ext.proxy.routes cimport header_rule, route_split
from ext.proxy.text cimport text_span
from ext.proxy.trace cimport TRACE_NEW, trace_hex, trace_parent_value

cdef uint64_t NEVER_UP = (
    (<uint64_t>1 << NAME_HOST)
    | (<uint64_t>1 << NAME_X_FORWARDED_FOR)
    | (<uint64_t>1 << NAME_K_ORIGINAL_HOST)
    | (<uint64_t>1 << NAME_KNATIVE_SERVING_REVISION)
    | (<uint64_t>1 << NAME_KNATIVE_SERVING_NAMESPACE)
)

# What only a trusted peer may say of where a request came from.
cdef uint64_t ORIGINS = (
    (<uint64_t>1 << NAME_FORWARDED)
    | (<uint64_t>1 << NAME_X_FORWARDED_HOST)
    | (<uint64_t>1 << NAME_X_FORWARDED_PROTO)
)

# What an activator or a gateway says itself, or what ends there.
cdef uint64_t NEVER_ON = (
    (<uint64_t>1 << NAME_K_NETWORK_HASH)
    | (<uint64_t>1 << NAME_K_PROXY_REQUEST)
    | (<uint64_t>1 << NAME_K_PASSTHROUGH_LB)
)

# What a route says to the activator behind it ends where there is none.
cdef uint64_t FOR_ACTIVATORS = (
    NEVER_ON | (<uint64_t>1 << NAME_KNATIVE_SERVING_REVISION) | (<uint64_t>1 << NAME_KNATIVE_SERVING_NAMESPACE)
)

cdef enum:
    REQUEST_ID_BYTES = 36    # a UUID as text


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
    if x.role == ROLE_SIDECAR and head_has(h, NAME_K_ORIGINAL_HOST) and route_trusts(x):
        for i in range(h.field_count):
            if h.fields[i].id == NAME_K_ORIGINAL_HOST and h.fields[i].value.len:
                return h.fields[i].value
    if h.authority.len:
        return h.authority
    return endpoint_name(x)


cdef span endpoint_name(const exchange* x) noexcept nogil:
    return span_of(x.at.to.name, <size_t>x.at.to.name_len)


cdef span host_for_sidecar(const exchange* x, head* out) noexcept nogil:
    """The Host that an activator sends, with what else a mesh must know of it (DP-183, DP-185)."""
    if x.to.host is NULL:
        return endpoint_name(x)
    put(out, b"K-Passthrough-Lb", 16, NAME_K_PASSTHROUGH_LB, span_of(b"true", 4))
    return span_of(x.to.host, x.to.host_len)


cdef span original_host(exchange* x, const head* h) noexcept nogil:
    """What the app is to see as Host, behind an activator: what the caller's proxy says, or Host (DP-183, DP-184)."""
    cdef const field* f = head_find(h, NAME_K_ORIGINAL_HOST)
    if f is not NULL and f.value.len and route_trusts(x):
        return f.value
    return h.authority


cdef uint64_t never_up(const exchange* x) noexcept nogil:
    """Known fields that do not go on as they came, whatever the role."""
    cdef const head* h = x.request
    cdef uint64_t dropped = NEVER_UP | trailer_dropped(h, x.up.version)
    if h.framing == BODY_CHUNKED:
        dropped |= <uint64_t>1 << NAME_CONTENT_LENGTH
    if x.trace_flags:
        dropped |= <uint64_t>1 << NAME_TRACEPARENT
    if x.trace_flags & TRACE_NEW:
        dropped |= <uint64_t>1 << NAME_TRACESTATE
    return dropped


cdef int rewrite_request(exchange* x, head* out) noexcept nogil:
    """What the app sees of the request (spec 1.11)."""
    cdef const head* h = x.request
    cdef span value
    cdef uint64_t dropped
    if x.split is not NULL:
        return rewrite_routed(x, out)
    dropped = never_up(x)
    out[0] = h[0]
    out.fields = <field*>arena_take(x.mem, sizeof(field) * <size_t>(h.field_count + 8))
    if out.fields is NULL:
        return -NO_MEMORY
    if x.role != ROLE_SIDECAR:
        dropped |= NEVER_ON
    copy_fields(h, out, dropped)
    # Ours come after what Connection names away has gone (weakness W9).
    if x.role == ROLE_ACTIVATOR:
        out.authority = host_for_sidecar(x, out)
        value = original_host(x, h)
        if value.len:
            put(out, b"K-Original-Host", 15, NAME_K_ORIGINAL_HOST, value)
    else:
        out.authority = host_for_app(x, h)
    if x.role == ROLE_ACTIVATOR or x.to.marks:
        put(out, b"K-Proxy-Request", 15, NAME_K_PROXY_REQUEST, span_of(b"activator", 9))
    if span_is_nocase(h.upgrade, b"h2c", 3):
        out.wants_upgrade = False
    value = trace_parent_value(x)
    if value.len:
        put(out, b"traceparent", 11, NAME_TRACEPARENT, value)
    if h.te_trailers:
        put(out, b"TE", 2, NAME_TE, span_of(b"trailers", 8))
    value = span_of(NULL, 0) if x.role == ROLE_ACTIVATOR else forwarded_value(x, h)
    if value.len:
        put(out, b"Forwarded", 9, NAME_FORWARDED, value)
    if x.down.via is not NULL:
        value = joined(x, h, NAME_X_FORWARDED_FOR, span_of(x.down.via.peer_text, x.down.via.peer_len))
        put(out, b"X-Forwarded-For", 15, NAME_X_FORWARDED_FOR, value)
    return OK


# ── as the routes say ─────────────────────────────────────────────────────

cdef bint is_set(const route_split* s, const field* f) noexcept nogil:
    """A field without an id that the route overwrites."""
    cdef int i
    for i in range(s.set_count):
        if s.sets[i].name.name_id == 0 and span_equals_nocase(f.name, text_span(s.sets[i].name)):
            return True
    return False


cdef void drop_others(const route_split* s, head* out) noexcept nogil:
    """Drops the fields without an id that the route overwrites."""
    cdef int i
    cdef int kept = 0
    for i in range(out.field_count):
        if out.fields[i].id == 0 and is_set(s, &out.fields[i]):
            continue
        if kept != i:
            out.fields[kept] = out.fields[i]
        kept += 1
    out.field_count = kept


cdef uint64_t dropped_for(const exchange* x, bint trusts) noexcept nogil:
    """Which known fields of the caller's do not go on."""
    cdef uint64_t dropped = never_up(x)
    if x.to.marks:
        dropped |= NEVER_ON
    else:
        dropped |= <uint64_t>1 << NAME_K_PROXY_REQUEST | <uint64_t>1 << NAME_K_NETWORK_HASH
        if trusts:
            dropped &= ~(<uint64_t>1 << NAME_K_ORIGINAL_HOST)
    if not trusts:
        dropped |= ORIGINS
    return dropped | x.split.set_ids


cdef span request_id(exchange* x) noexcept nogil:
    """A random UUID (RFC 9562 5.4), the same when the request is sent once more; empty without memory."""
    cdef char* at
    cdef char text[32]
    cdef uint64_t first, second
    if x.request_id.len:
        return x.request_id
    at = <char*>arena_take(x.mem, REQUEST_ID_BYTES)
    if at is NULL:
        return x.request_id
    first = proxy_random(proxy_of(x.home))
    second = proxy_random(proxy_of(x.home))
    trace_hex(trace_hex(text, first), second)
    text[12] = c'4'
    text[16] = <char>(c'8' + (second >> 60 & 1))
    memcpy(at, text, 8)
    at[8] = c'-'
    memcpy(at + 9, text + 8, 4)
    at[13] = c'-'
    memcpy(at + 14, text + 12, 4)
    at[18] = c'-'
    memcpy(at + 19, text + 16, 4)
    at[23] = c'-'
    memcpy(at + 24, text + 20, 12)
    x.request_id = span_of(at, REQUEST_ID_BYTES)
    return x.request_id


cdef void put_sets(const exchange* x, head* out) noexcept nogil:
    """What split and path set; what is meant for an activator ends where we are one."""
    cdef const route_split* s = x.split
    cdef uint64_t kept_back = FOR_ACTIVATORS if x.to.marks else 0
    cdef const header_rule* set
    cdef int i
    for i in range(s.set_count):
        set = &s.sets[i]
        if not (kept_back >> set.name.name_id) & 1:
            put(out, set.name.at, set.name.len, set.name.name_id, text_span(set.value))


cdef void put_hosts(exchange* x, head* out, bint trusts) noexcept nogil:
    """The authority that is sent, and, as an activator, the one that the app is to see."""
    cdef const head* h = x.request
    cdef span host = h.authority
    cdef const field* said = NULL
    if x.split.host is not NULL:
        host = text_span(x.split.host)
    out.authority = host
    if x.to.marks:
        put(out, b"K-Proxy-Request", 15, NAME_K_PROXY_REQUEST, span_of(b"activator", 9))
        if trusts:
            said = head_find(h, NAME_K_ORIGINAL_HOST)
        if said is not NULL and said.value.len:
            host = said.value
        if host.len and not head_has(out, NAME_K_ORIGINAL_HOST):
            put(out, b"K-Original-Host", 15, NAME_K_ORIGINAL_HOST, host)
        out.authority = host_for_sidecar(x, out)
    elif host.len == 0:
        out.authority = endpoint_name(x)


cdef int rewrite_routed(exchange* x, head* out) noexcept nogil:
    """What whoever is behind a gateway sees of the request (NW spec 7.1, steps 6 and 8)."""
    cdef const head* h = x.request
    cdef const route_split* s = x.split
    cdef bint trusts = route_trusts(x)
    cdef uint64_t dropped = dropped_for(x, trusts)
    cdef span value
    out[0] = h[0]
    out.fields = <field*>arena_take(x.mem, sizeof(field) * <size_t>(h.field_count + s.set_count + 10))
    if out.fields is NULL:
        return -NO_MEMORY
    copy_fields(h, out, dropped)
    if s.set_others:
        drop_others(s, out)
    put_sets(x, out)
    put_hosts(x, out, trusts)
    if not x.to.marks and head_has(h, NAME_K_NETWORK_HASH) and not head_has(out, NAME_K_NETWORK_HASH):
        put(out, b"K-Network-Hash", 14, NAME_K_NETWORK_HASH, route_hash(x))
    if span_is_nocase(h.upgrade, b"h2c", 3):
        out.wants_upgrade = False
    if x.trace_flags and not head_has(out, NAME_TRACEPARENT):
        value = trace_parent_value(x)
        if value.len:
            put(out, b"traceparent", 11, NAME_TRACEPARENT, value)
    if h.te_trailers:
        put(out, b"TE", 2, NAME_TE, span_of(b"trailers", 8))
    if x.down.via is not NULL and not head_has(out, NAME_X_FORWARDED_FOR):
        value = span_of(x.down.via.peer_text, x.down.via.peer_len)
        if trusts:
            value = joined(x, h, NAME_X_FORWARDED_FOR, value)
        put(out, b"X-Forwarded-For", 15, NAME_X_FORWARDED_FOR, value)
    if not head_has(out, NAME_X_FORWARDED_PROTO):
        put(out, b"X-Forwarded-Proto", 17, NAME_X_FORWARDED_PROTO, span_of(b"https", 5 if exchange_is_tls(x) else 4))
    if not head_has(out, NAME_X_REQUEST_ID):
        value = request_id(x)
        if value.len:
            put(out, b"X-Request-Id", 12, NAME_X_REQUEST_ID, value)
    return OK


# ── answers and trailers ──────────────────────────────────────────────────

cdef int rewrite_response(exchange* x, const head* h, head* out) noexcept nogil:
    """What the caller sees of an answer; a Date where the app gave none (RFC 9110 6.6.1)."""
    cdef uint64_t dropped = trailer_dropped(h, x.request.version)
    cdef span timing
    out[0] = h[0]
    out.fields = <field*>arena_take(x.mem, sizeof(field) * <size_t>(h.field_count + 2))
    if out.fields is NULL:
        return -NO_MEMORY
    if h.framing == BODY_CHUNKED or h.framing == BODY_UNTIL_CLOSE or h.status < 200 or h.status == 204:
        dropped |= <uint64_t>1 << NAME_CONTENT_LENGTH
    copy_fields(h, out, dropped)
    out.keep_alive = True   # what the app says about its own connection ends here
    if h.status >= 200 and not head_has(out, NAME_DATE):
        put(out, b"Date", 4, NAME_DATE, span_of(proxy_date(x.home), DATE_BYTES))
    if h.status >= 200 and x.place.parked_ns:
        timing = cold_answered(x)
        if timing.len:
            put(out, b"Server-Timing", 13, NAME_SERVER_TIMING, timing)
    return OK


cdef int rewrite_trailers(exchange* x, const head* h, head* out) noexcept nogil:
    """Trailers pass but for fields that frame, route or belong to one hop (RFC 9110 6.5.1)."""
    out[0] = h[0]
    out.fields = <field*>arena_take(x.mem, sizeof(field) * <size_t>(h.field_count + 1))
    if out.fields is NULL:
        return -NO_MEMORY
    copy_fields(h, out, (<uint64_t>1 << NAME_CONTENT_LENGTH) | (<uint64_t>1 << NAME_HOST))
    return OK
