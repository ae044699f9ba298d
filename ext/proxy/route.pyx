# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""route: bodies; the story is in route.pxd.

Floor      proxy: may cimport every floor below.
"""

from libc.stdint cimport uint8_t

from ext.base.faults cimport BAD_ORIGINAL_HOST, EXPECTATION_FAILED, METHOD_NOT_ALLOWED, NO_ROUTE
from ext.base.span cimport span, span_is, span_starts
from ext.http.head cimport METHOD_CONNECT, field, head, head_find, head_has
from ext.http.h1_meaning cimport h1_host_is_valid
from ext.http.names cimport (
    NAME_CONTENT_TYPE,
    NAME_K_KUBELET_PROBE,
    NAME_K_NETWORK_HASH,
    NAME_K_NETWORK_PROBE,
    NAME_K_ORIGINAL_HOST,
    NAME_K_PROXY_REQUEST,
    NAME_USER_AGENT,
)
from ext.proxy.context cimport proxy_of
from ext.proxy.exchange cimport exchange, exchange_fail
from ext.proxy.plan cimport SERVE_PYTHON, SERVE_TARGET, proxy_plan, service
from ext.proxy.reply cimport reply_text, reply_with_hash
from ext.stats.shard cimport counter_add
from ext.upstream.target cimport target_share


cdef span value_of(const head* h, int name_id) noexcept nogil:
    """The value of the first such field; empty when there is none."""
    cdef span none
    cdef const field* f = head_find(h, name_id)
    none.at = NULL
    none.len = 0
    return none if f is NULL else f.value


cdef bint is_health_check(span agent) noexcept nogil:
    """The User-Agents that the platform probes with (spec 1.7)."""
    return (
        span_starts(agent, b"kube-probe/", 11)
        or span_starts(agent, b"Knative-Activator-Probe", 23)
        or span_starts(agent, b"Knative-Autoscaling-Probe", 25)
    )


cdef bint route_trusts(const exchange* x) noexcept nogil:
    """The peer is one whose platform headers are believed (PENSTOCK_TRUSTED_CIDRS)."""
    cdef const proxy_plan* plan = proxy_of(x.home).plan
    cdef const uint8_t* address
    cdef int i, whole, rest, byte
    cdef bint same
    if plan.trusted_count == 0 or x.down.via is NULL:
        return True
    address = x.down.via.peer_address
    for i in range(plan.trusted_count):
        whole = plan.trusted[i].bits // 8
        rest = plan.trusted[i].bits % 8
        same = True
        for byte in range(whole):
            if address[byte] != plan.trusted[i].network[byte]:
                same = False
                break
        if same and rest:
            same = (address[whole] ^ plan.trusted[i].network[whole]) >> (8 - rest) == 0
        if same:
            return True
    return False


cdef verdict probe_answer(exchange* x, span agent, span probe) noexcept nogil:
    """The decision table of spec 1.7; ROUTE_FORWARD for what is no probe."""
    cdef span hash_value
    cdef bint health = is_health_check(agent)
    if not health and not span_is(probe, b"probe", 5):
        return ROUTE_FORWARD
    x.probe = True
    counter_add(x.home.stats.probes, 1)
    if x.home.draining:
        reply_text(x, 503, b"shutting down\n", 14, probe)
        return ROUTE_ANSWERED
    if health:
        if span_is(probe, b"queue", 5):
            return ROUTE_PYTHON
        reply_text(x, 400, b"unexpected probe header value: ", 31, probe)
        return ROUTE_ANSWERED
    hash_value = value_of(x.request, NAME_K_NETWORK_HASH)
    if hash_value.len == 0:
        reply_text(x, 400, b"a probe request must contain a non-empty \"K-Network-Hash\" header\n", 65, hash_value)
    else:
        reply_with_hash(x, hash_value)
    return ROUTE_ANSWERED


cdef bint original_host_is_bad(exchange* x) noexcept nogil:
    """K-Original-Host is once and a host, or not there (spec 8, DP-057)."""
    cdef const head* h = x.request
    cdef int i
    cdef int count = 0
    if not head_has(h, NAME_K_ORIGINAL_HOST):
        return False
    for i in range(h.field_count):
        if h.fields[i].id == NAME_K_ORIGINAL_HOST:
            count += 1
            if h.fields[i].value.len == 0:
                continue
            if count > 1 or not h1_host_is_valid(h.fields[i].value.at, h.fields[i].value.len):
                return True
    return count > 1


cdef verdict route_decide(exchange* x) noexcept nogil:
    """Sets what the head says about the exchange: target, probe, bypass, proxied."""
    cdef const service* s = &proxy_of(x.home).plan.services[x.listener]
    cdef const head* h = x.request
    cdef verdict answer
    if s.kind == SERVE_PYTHON:
        x.probe = True
        return ROUTE_PYTHON
    if s.kind != SERVE_TARGET:
        exchange_fail(x, NO_ROUTE)
        return ROUTE_ANSWERED
    if h.method == METHOD_CONNECT:
        exchange_fail(x, METHOD_NOT_ALLOWED)
        return ROUTE_ANSWERED
    answer = probe_answer(x, value_of(h, NAME_USER_AGENT), value_of(h, NAME_K_NETWORK_PROBE))
    if answer != ROUTE_FORWARD:
        return answer
    x.to = target_share(s.to)
    x.grpc = span_starts(value_of(h, NAME_CONTENT_TYPE), b"application/grpc", 16)
    if route_trusts(x):
        x.bypass = value_of(h, NAME_K_KUBELET_PROBE).len > 0
        x.proxied = span_is(value_of(h, NAME_K_PROXY_REQUEST), b"activator", 9)
        if original_host_is_bad(x):
            exchange_fail(x, BAD_ORIGINAL_HOST)
            return ROUTE_ANSWERED
    if h.expects_other:
        exchange_fail(x, EXPECTATION_FAILED)
        return ROUTE_ANSWERED
    return ROUTE_FORWARD
