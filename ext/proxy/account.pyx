# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""account: bodies; the story is in account.pxd.

Floor      proxy: may cimport every floor below.

One status is told everywhere, in the metrics as in the log: what the caller
was told; 504 for an answer that ran out of time after its head, 500 for one
that was cut then, 499 when the caller left before there was any. After an
upgrade it stays 101.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy, memset

from ext.base.atomics cimport i64_store_relaxed
from ext.base.faults cimport (
    CALLER,
    CALLER_GONE,
    CALLER_RESET,
    NO_DESCRIPTORS,
    REQUEST_HEAD_TOO_LARGE,
    REQUEST_TRAILER_TOO_LARGE,
    RESPONSE_HEAD_TOO_LARGE,
    RESPONSE_TRAILER_TOO_LARGE,
    fault_row,
    fault_table,
)
from ext.base.span cimport span, span_is, span_of
from ext.http.head cimport BODY_CHUNKED, BODY_LENGTH, field, head, head_find
from ext.http.names cimport (
    NAME_K_ORIGINAL_HOST,
    NAME_KNATIVE_SERVING_DEFAULT_ROUTE,
    NAME_KNATIVE_SERVING_TAG,
)
from ext.proxy.context cimport proxy_context, proxy_of
from ext.proxy.exchange cimport EXCHANGE_PARKED, exchange_status
from ext.proxy.plan cimport proxy_plan
from ext.proxy.trace cimport TRACE_ON, TRACE_SAMPLED
from ext.stats.busy cimport busy_in, busy_out
from ext.stats.journal cimport (
    JOURNAL_ABORTED,
    JOURNAL_PROBE,
    JOURNAL_PROXIED,
    JOURNAL_RETRIED,
    JOURNAL_SAMPLED,
    JOURNAL_TLS,
    JOURNAL_UPGRADED,
    STAMP_ADMITTED,
    STAMP_ANSWERED,
    STAMP_CONNECTED,
    STAMP_DONE,
    STAMP_SENT,
    TEXT_FIELDS,
    TEXT_HOST,
    TEXT_METHOD,
    TEXT_REMOTE,
    TEXT_TARGET,
    journal_begin,
    journal_end,
    journal_entry,
)
from ext.stats.series cimport outcome, series_add
from ext.stats.shard cimport (
    BOUND_DESCRIPTORS,
    BOUND_HEAD_BYTES,
    BOUND_TRAILER_BYTES,
    LISTENER_MAIN,
    LISTENER_MAIN_TLS,
    counter_add,
    counter_set,
    shard_bound,
)


cdef enum:
    STATUS_LEFT = 499        # nginx's: the caller closed before the answer
    REMOTE_MAX = 64          # "[address]:port"


cdef void account_start(exchange* x) noexcept nogil:
    """A head has come."""
    counter_add(&x.home.stats.requests[x.label], 1)


cdef void account_in(exchange* x) noexcept nogil:
    """It is a request for the app: from here on the autoscaler counts it (spec 1.9)."""
    counter_set(x.home.stats.last_request_start_ns, x.home.now_ns)
    x.in_flight = True
    i64_store_relaxed(&proxy_of(x.home).in_flight, proxy_of(x.home).in_flight + 1)
    if x.bypass:
        return
    if x.to.reports:
        x.reported = True
        busy_in(&x.to.live.stands[x.home.id].load, x.home.now_ns, False)
    x.counted = True
    busy_in(&proxy_of(x.home).load, x.home.now_ns, x.proxied)


cdef void account_fault(exchange* x, int fault) noexcept nogil:
    """The first fault of an exchange; it may be a bound that a peer ran into."""
    counter_add(&x.home.stats.faults[fault], 1)
    if fault == REQUEST_HEAD_TOO_LARGE or fault == RESPONSE_HEAD_TOO_LARGE:
        shard_bound(x.home.stats, BOUND_HEAD_BYTES)
    elif fault == REQUEST_TRAILER_TOO_LARGE or fault == RESPONSE_TRAILER_TOO_LARGE:
        shard_bound(x.home.stats, BOUND_TRAILER_BYTES)
    elif fault == NO_DESCRIPTORS:
        shard_bound(x.home.stats, BOUND_DESCRIPTORS)
    elif x.state == EXCHANGE_PARKED and (fault == CALLER_GONE or fault == CALLER_RESET):
        counter_add(x.home.stats.abandoned, 1)


cdef int status_of(const exchange* x) noexcept nogil:
    cdef int status = exchange_status(x, x.fault)
    if x.fault == 0:
        return x.status
    if x.status == 0:
        return STATUS_LEFT if fault_table[x.fault].blame == CALLER else status
    if fault_table[x.fault].status == 504 and not x.raw:
        return 504
    return 500 if is_aborted(x) else x.status


cdef bint is_aborted(const exchange* x) noexcept nogil:
    """The app's answer was cut after its head, and neither the caller nor time was the reason."""
    cdef const fault_row* row = &fault_table[x.fault]
    return x.fault and x.up_status and not x.raw and row.blame != CALLER and row.status != 504


cdef uint64_t stamp_of(const exchange* x, uint64_t at_ns) noexcept nogil:
    """Time since the start, at least 1; 0 for what never came."""
    if at_ns == 0:
        return 0
    return at_ns - x.start_ns if at_ns > x.start_ns else 1


cdef span tag_of(const head* h) noexcept nogil:
    """kn.route.tag (spec 1.6)."""
    cdef const field* tag = head_find(h, NAME_KNATIVE_SERVING_TAG)
    cdef const field* default = head_find(h, NAME_KNATIVE_SERVING_DEFAULT_ROUTE)
    if tag is NULL or tag.value.len == 0:
        if default is NULL or default.value.len == 0:
            return span_of(b"kn:disabled", 11)
        return span_of(b"kn:default", 10)
    if default is not NULL and span_is(default.value, b"true", 4):
        return span_of(b"kn:undefined", 12)
    return tag.value


cdef void count_series(exchange* x, const stream* down) noexcept nogil:
    cdef outcome o
    memset(&o, 0, sizeof(o))
    o.has_server = True
    o.is_tls = down.via is not NULL and down.via.tls is not NULL
    o.method = x.request.method
    o.version = x.request.version
    o.status = <uint16_t>status_of(x)
    o.host = x.request.authority
    o.tag = tag_of(x.request)
    o.duration_ns = x.home.now_ns - x.start_ns
    o.request_bytes = <uint64_t>x.request_bytes
    o.response_bytes = <uint64_t>x.response_bytes
    if x.admitted_ns:
        o.has_invocation = True
        o.invocation_status = o.status
        o.invocation_ns = x.home.now_ns - x.admitted_ns
    if x.sent_ns and (x.first_ns or x.fault):
        o.has_client = True
        o.client_version = x.up_version
        o.client_ns = (x.first_ns if x.first_ns else x.home.now_ns) - x.sent_ns
        if x.first_ns:
            o.client_status = <uint16_t>x.up_status
        else:
            o.client_fault = <uint16_t>x.fault
    series_add(&proxy_of(x.home).label_sets, &o)


cdef char* put(char* to, span s) noexcept nogil:
    if s.len:
        memcpy(to, s.at, s.len)
    return to + s.len


cdef void big_endian(uint8_t* to, uint64_t word) noexcept nogil:
    cdef int i
    for i in range(8):
        to[i] = <uint8_t>(word >> (56 - 8 * i))


cdef void fill_entry(const exchange* x, const stream* down, journal_entry* e) noexcept nogil:
    """The fixed part of a record."""
    memset(e, 0, sizeof(journal_entry))
    e.start_unix_ns = x.wall_ns
    e.stamps_ns[<int>STAMP_ADMITTED] = stamp_of(x, x.admitted_ns)
    e.stamps_ns[<int>STAMP_CONNECTED] = stamp_of(x, x.sent_ns)
    e.stamps_ns[<int>STAMP_SENT] = stamp_of(x, x.sent_ns)
    e.stamps_ns[<int>STAMP_ANSWERED] = stamp_of(x, x.first_ns)
    e.stamps_ns[<int>STAMP_DONE] = stamp_of(x, x.home.now_ns)
    e.request_bytes = <uint64_t>x.request_bytes
    e.response_bytes = <uint64_t>x.response_bytes
    e.content_length = x.request.length if x.request.framing == BODY_LENGTH else 0
    if x.request.framing == BODY_CHUNKED:
        e.content_length = -1
    e.status = <uint16_t>status_of(x)
    e.fault = <uint16_t>x.fault
    e.version = x.request.version
    e.method = x.request.method
    if x.trace_flags & TRACE_ON:
        big_endian(&e.trace_id[0], x.trace[0])
        big_endian(&e.trace_id[8], x.trace[1])
        big_endian(&e.parent_id[0], x.trace[3])
        big_endian(&e.span_id[0], x.trace[2])
        big_endian(&e.call_id[0], x.call_span)
    e.flags = <uint16_t>(
        (JOURNAL_TLS if down.via is not NULL and down.via.tls is not NULL else 0)
        | (JOURNAL_PROBE if x.probe or x.bypass else 0)
        | (JOURNAL_PROXIED if x.proxied else 0)
        | (JOURNAL_UPGRADED if x.raw else 0)
        | (JOURNAL_ABORTED if is_aborted(x) else 0)
        | (JOURNAL_SAMPLED if x.trace_flags & TRACE_SAMPLED else 0)
        | (JOURNAL_RETRIED if x.tried else 0)
    )


cdef void write_journal(exchange* x, const stream* down) noexcept nogil:
    """One record with its texts; the fields as the caller sent them, but K-Original-Host, which was consumed."""
    cdef proxy_context* p = proxy_of(x.home)
    cdef const head* h = x.request
    cdef journal_entry e
    cdef char remote[REMOTE_MAX]
    cdef size_t lines = 0
    cdef char* to
    cdef int i, remote_n
    fill_entry(x, down, &e)
    remote_n = 0
    if down.via is not NULL:
        remote_n = snprintf(
            remote, REMOTE_MAX, "[%s]:%u" if has_colon(down) else "%s:%u", down.via.peer_text,
            <unsigned int>down.via.peer_port,
        )
    for i in range(h.field_count):
        if h.fields[i].id != NAME_K_ORIGINAL_HOST:
            lines += h.fields[i].name.len + h.fields[i].value.len + 4
    e.lens[<int>TEXT_METHOD] = <uint32_t>h.method_text.len
    e.lens[<int>TEXT_TARGET] = <uint32_t>h.target.len
    e.lens[<int>TEXT_HOST] = <uint32_t>h.authority.len
    e.lens[<int>TEXT_REMOTE] = <uint32_t>remote_n
    e.lens[<int>TEXT_FIELDS] = <uint32_t>lines
    to = journal_begin(&p.finished, &e)
    if to is NULL:
        return
    to = put(put(put(to, h.method_text), h.target), h.authority)
    to = put(to, span_of(remote, <size_t>remote_n))
    for i in range(h.field_count):
        if h.fields[i].id != NAME_K_ORIGINAL_HOST:
            to = put(put(to, h.fields[i].name), span_of(b": ", 2))
            to = put(put(to, h.fields[i].value), span_of(b"\r\n", 2))
    journal_end(&p.finished)


cdef bint has_colon(const stream* down) noexcept nogil:
    """The peer is known by an IPv6 address."""
    cdef int i
    for i in range(down.via.peer_len):
        if down.via.peer_text[i] == c':':
            return True
    return False


cdef void account_done(exchange* x, const stream* down) noexcept nogil:
    """The last byte has gone, or nothing more will."""
    cdef const proxy_plan* plan = proxy_of(x.home).plan
    cdef bint probe = x.probe or x.bypass
    if x.counted:
        x.counted = False
        busy_out(&proxy_of(x.home).load, x.home.now_ns, x.proxied)
    if x.reported:
        x.reported = False
        busy_out(&x.to.live.stands[x.home.id].load, x.home.now_ns, False)
    if x.in_flight:
        i64_store_relaxed(&proxy_of(x.home).in_flight, proxy_of(x.home).in_flight - 1)
    if x.raw:
        counter_add(x.home.stats.upgrades_ended, 1)
    if x.request is NULL:
        return
    if plan.metrics and not probe:
        count_series(x, down)
    if (plan.logging and (plan.log_probes or not probe)) or x.trace_flags & TRACE_SAMPLED:
        if x.label == LISTENER_MAIN or x.label == LISTENER_MAIN_TLS:
            write_journal(x, down)
