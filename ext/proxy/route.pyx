# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""route: bodies; the story is in route.pxd.

Floor      proxy: may cimport every floor below.
"""

from libc.stdint cimport uint8_t

from ext.base.arena cimport arena_take
from ext.base.faults cimport (
    BAD_ORIGINAL_HOST,
    BAD_REQUEST_HOST,
    EXPECTATION_FAILED,
    METHOD_NOT_ALLOWED,
    NO_ENDPOINT,
    NO_REVISION,
    NO_ROUTE,
)
from ext.base.span cimport span, span_equals_nocase, span_is, span_is_nocase, span_of, span_starts
from ext.http.head cimport METHOD_CONNECT, field, head, head_find, head_has
from ext.http.h1_meaning cimport h1_host_is_valid
from ext.http.names cimport (
    NAME_CONTENT_TYPE,
    NAME_K_KUBELET_PROBE,
    NAME_K_NETWORK_HASH,
    NAME_K_NETWORK_PROBE,
    NAME_K_ORIGINAL_HOST,
    NAME_K_PROXY_REQUEST,
    NAME_KNATIVE_SERVING_NAMESPACE,
    NAME_KNATIVE_SERVING_REVISION,
    NAME_USER_AGENT,
)
from ext.proxy.context cimport proxy_context, proxy_of, proxy_random
from ext.proxy.directory cimport directory_find, directory_get
from ext.proxy.exchange cimport exchange, exchange_fail, exchange_is_tls
from ext.proxy.match cimport match_host, match_path, match_split
from ext.proxy.plan cimport (
    ROLE_ACTIVATOR,
    ROLE_SIDECAR,
    SERVE_HOSTS,
    SERVE_NOTHING,
    SERVE_PYTHON,
    SERVE_TARGET,
    proxy_plan,
    service,
)
from ext.proxy.reply cimport reply_bare, reply_redirect, reply_text, reply_with_hash
from ext.proxy.routes cimport host_routes, host_routes_share, route_path
from ext.proxy.text cimport text_span
from ext.stats.shard cimport counter_add
from ext.upstream.target cimport target, target_share


cdef span value_of(const head* h, int name_id) noexcept nogil:
    """The value of the first such field; empty when there is none."""
    cdef span none
    cdef const field* f = head_find(h, name_id)
    none.at = b""
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
    echo_hash(x)
    return ROUTE_ANSWERED


cdef void echo_hash(exchange* x) noexcept nogil:
    """The ingress asks whether its newest configuration has arrived (DP-031, DP-177)."""
    cdef span hash_value = route_hash(x)
    if hash_value.len == 0:
        reply_text(x, 400, b"a probe request must contain a non-empty \"K-Network-Hash\" header\n", 65, hash_value)
    else:
        reply_with_hash(x, hash_value)


# ── as an activator ───────────────────────────────────────────────────────

cdef verdict activator_answer(exchange* x) noexcept nogil:
    """Stages 1 to 3 of spec 2.2: health, the network's probe, a component's probe; ROUTE_FORWARD for what is none."""
    cdef const proxy_context* p = proxy_of(x.home)
    cdef span probe = value_of(x.request, NAME_K_NETWORK_PROBE)
    cdef bint kubelet = (
        value_of(x.request, NAME_K_KUBELET_PROBE).len
        or span_starts(value_of(x.request, NAME_USER_AGENT), b"kube-probe/", 11)
    )
    if not kubelet and probe.len == 0:
        return ROUTE_FORWARD
    x.probe = True
    counter_add(x.home.stats.probes, 1)
    if kubelet:
        if p.health_len:
            reply_text(x, 500, p.health, p.health_len, span_of(NULL, 0))
        else:
            reply_bare(x, 200, NULL, 0)
    elif span_is(probe, b"probe", 5):
        echo_hash(x)
    elif span_is(probe, b"activator", 9):
        reply_bare(x, 200, b"activator", 9)
    else:
        reply_text(x, 400, b"unexpected probe header value: ", 31, quoted(x, probe))
    return ROUTE_ANSWERED


cdef span quoted(exchange* x, span value) noexcept nogil:
    """Between quotes, and escaped for HTML as Go does it; empty without memory."""
    cdef char* start = <char*>arena_take(x.mem, 5 * value.len + 2)
    cdef char* to = start
    cdef const char* text
    cdef size_t i
    if start is NULL:
        return span_of(NULL, 0)
    to[0] = c'"'
    to += 1
    for i in range(value.len):
        text = escape_of(value.at[i])
        if text is NULL:
            to[0] = value.at[i]
            to += 1
        while text is not NULL and text[0]:
            to[0] = text[0]
            to += 1
            text += 1
    to[0] = c'"'
    return span_of(start, <size_t>(to - start) + 1)


cdef const char* escape_of(char c) noexcept nogil:
    if c == c'<':
        return b"&lt;"
    if c == c'>':
        return b"&gt;"
    if c == c'&':
        return b"&amp;"
    if c == c"'":
        return b"&#39;"
    if c == c'"':
        return b"&#34;"
    return NULL


cdef size_t find(span s, size_t start, char c) noexcept nogil:
    """Where it stands; the length when it does not."""
    while start < s.len and s.at[start] != c:
        start += 1
    return start


cdef void route_revision(const exchange* x, span* space, span* name) noexcept nogil:
    """Which revision the request names: by its headers, else by a Host of the cluster's (spec 2.3).

    What nobody says is empty, and points to something all the same.
    """
    cdef span host = x.request.authority
    cdef span domain
    cdef size_t first, second, third
    space[0] = value_of(x.request, NAME_KNATIVE_SERVING_NAMESPACE)
    name[0] = value_of(x.request, NAME_KNATIVE_SERVING_REVISION)
    if space.len and name.len:
        return
    first = find(host, 0, c'.')
    second = find(host, first + 1, c'.')
    third = find(host, second + 1, c'.')
    if third >= host.len:
        return
    domain = span_of(host.at + third + 1, host.len - third - 1)
    domain.len = find(domain, 0, c':')
    if not span_is_nocase(span_of(host.at + second + 1, third - second - 1), b"svc", 3):
        return
    if not span_equals_nocase(domain, proxy_of(x.home).plan.domain):
        return
    name[0] = span_of(host.at, first)
    space[0] = span_of(host.at + first + 1, second - first - 1)


cdef target* target_named(exchange* x) noexcept nogil:
    """The target of the revision that the request names; NULL when there is none."""
    cdef span space, name
    route_revision(x, &space, &name)
    return directory_find(proxy_of(x.home).plan.targets, space, name)


# ── as a gateway ──────────────────────────────────────────────────────────

cdef span route_hash(const exchange* x) noexcept nogil:
    """K-Network-Hash as whoever is behind us is to see it (NW spec 1.9); empty when there is none."""
    cdef span value = value_of(x.request, NAME_K_NETWORK_HASH)
    if x.routes is not NULL and span_is(value, b"override", 8):
        return text_span(x.routes.hash)
    return value


cdef target* target_routed(exchange* x, const service* s) noexcept nogil:
    """The target of the split that the request falls to; NULL: it has been answered."""
    cdef const proxy_plan* plan = proxy_of(x.home).plan
    cdef bint secure = exchange_is_tls(x)
    cdef host_routes* routes = NULL
    cdef const route_path* path = NULL
    cdef target* to
    if plan.hosts is not NULL:
        routes = match_host(plan.hosts, x.request.authority, s.private)
    if routes is not NULL:
        path = match_path(routes, x.request, secure, s.private)
    if path is NULL:
        exchange_fail(x, NO_ROUTE)
        return NULL
    if path.redirect and not secure:
        if x.request.authority.len:
            reply_redirect(x)
        else:
            exchange_fail(x, BAD_REQUEST_HOST)
        return NULL
    x.routes = host_routes_share(routes)
    x.split = match_split(path, proxy_random(proxy_of(x.home)))
    to = NULL
    if x.split is not NULL:
        to = directory_get(plan.targets, x.split.target.hash, text_span(x.split.target))
    if to is NULL:
        exchange_fail(x, NO_ENDPOINT)
    elif to.marks and activator_answer(x) != ROUTE_FORWARD:
        to = NULL
    return to


# ── what becomes of a request ─────────────────────────────────────────────

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
    cdef target* to
    cdef verdict answer
    if s.kind == SERVE_PYTHON:
        x.probe = True
        return ROUTE_PYTHON
    if s.kind == SERVE_NOTHING:
        exchange_fail(x, NO_ROUTE)
        return ROUTE_ANSWERED
    if h.method == METHOD_CONNECT:
        exchange_fail(x, METHOD_NOT_ALLOWED)
        return ROUTE_ANSWERED
    if s.role == ROLE_SIDECAR:
        answer = probe_answer(x, value_of(h, NAME_USER_AGENT), value_of(h, NAME_K_NETWORK_PROBE))
    else:
        answer = activator_answer(x) if s.role == ROLE_ACTIVATOR else ROUTE_FORWARD
    if answer != ROUTE_FORWARD:
        return answer
    x.grpc = span_starts(value_of(h, NAME_CONTENT_TYPE), b"application/grpc", 16)
    if s.kind == SERVE_HOSTS:
        to = target_routed(x, s)
        if to is NULL:
            return ROUTE_ANSWERED
    else:
        to = s.to if s.kind == SERVE_TARGET else target_named(x)
    if to is NULL:
        exchange_fail(x, NO_REVISION)
        return ROUTE_ANSWERED
    x.to = target_share(to)
    if route_trusts(x):
        if s.role == ROLE_SIDECAR:
            x.bypass = to.only is not NULL and value_of(h, NAME_K_KUBELET_PROBE).len > 0
            x.proxied = span_is(value_of(h, NAME_K_PROXY_REQUEST), b"activator", 9)
        if original_host_is_bad(x):
            exchange_fail(x, BAD_ORIGINAL_HOST)
            return ROUTE_ANSWERED
    if h.expects_other:
        exchange_fail(x, EXPECTATION_FAILED)
        return ROUTE_ANSWERED
    return ROUTE_FORWARD
