# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""match: bodies; the story is in match.pxd.

Floor      proxy: may cimport every floor below.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcmp

from ext.base.lower cimport lower_equals
from ext.base.span cimport span, span_is, span_of, span_starts
from ext.http.head cimport METHOD_OPTIONS, field, head, head_has, head_path
from ext.http.names cimport NAME_HOST
from ext.proxy.routes cimport (
    HOST_BYTES_MAX,
    header_rule,
    host_routes,
    host_table,
    host_table_find,
    route_path,
    route_split,
)
from ext.proxy.text cimport text


cdef span match_host_name(span authority) noexcept nogil:
    """Without its port; IPv6 keeps its brackets."""
    cdef size_t n = authority.len
    while n and authority.at[n - 1] >= c'0' and authority.at[n - 1] <= c'9':
        n -= 1
    if n and authority.at[n - 1] == c':':
        return span_of(authority.at, n - 1)
    return authority


cdef host_routes* visible(host_routes* r, bint private) noexcept nogil:
    return NULL if r is NULL or (r.local and not private) else r


cdef host_routes* match_host(const host_table* t, span authority, bint private) noexcept nogil:
    """The routes that such a request can see; NULL when there are none."""
    cdef span name = match_host_name(authority)
    cdef host_routes* r = NULL
    cdef size_t i
    if name.len and name.len <= HOST_BYTES_MAX:
        r = visible(host_table_find(t, name.at, name.len, False), private)
        if r is NULL and t.wild_count:
            # A star stands for one byte at least; the leftmost dot gives the longest suffix.
            for i in range(1, name.len):
                if name.at[i] == c'.':
                    r = visible(host_table_find(t, name.at + i, name.len - i, True), private)
                    if r is not NULL:
                        return r
    return r if r is not NULL else visible(host_table_find(t, b"*", 1, False), private)


cdef bint prefix_matches(const text* prefix, span path) noexcept nogil:
    """An empty path, or one that begins with its query, means "/" before it (RFC 9112 3.2.1)."""
    if path.len == 0 or path.at[0] == c'?':
        if prefix.len == 0:
            return True
        return prefix.at[0] == c'/' and span_starts(path, &prefix.at[1], prefix.len - 1)
    return span_starts(path, prefix.at, prefix.len)


cdef bint name_is(const field* f, const text* name) noexcept nogil:
    if name.name_id or f.id:
        return f.id == name.name_id
    return f.name.len == name.len and lower_equals(f.name.at, name.at, name.len)


cdef bint rule_matches(const header_rule* rule, const head* h) noexcept nogil:
    """There, and, unless the rule's value is empty, exactly so; several lines count as one list."""
    cdef const text* value = rule.value
    cdef const field* f
    cdef size_t at = 0
    cdef bint found = False
    cdef int i
    if rule.name.name_id == NAME_HOST:
        return h.authority.len and (value.len == 0 or span_is(h.authority, value.at, value.len))
    if rule.name.name_id and not head_has(h, rule.name.name_id):
        return False
    for i in range(h.field_count):
        f = &h.fields[i]
        if not name_is(f, rule.name):
            continue
        if value.len == 0:
            return True
        if found:
            if at >= value.len or value.at[at] != c',':
                return False
            at += 1
        found = True
        if f.value.len > value.len - at or memcmp(&value.at[at], f.value.at, f.value.len) != 0:
            return False
        at += f.value.len
    return found and at == value.len


cdef bint headers_match(const route_path* p, const head* h) noexcept nogil:
    cdef int i
    for i in range(p.match_count):
        if not rule_matches(&p.matches[i], h):
            return False
    return True


cdef const route_path* match_path(const host_routes* r, const head* h, bint secure, bint private) noexcept nogil:
    """The first that matches and may be seen; NULL when none does. Over TLS there is nothing to redirect."""
    cdef span path = head_path(h)
    cdef const route_path* p = r.paths
    cdef const route_path* end = p + r.path_count
    if path.len == 0 and h.method == METHOD_OPTIONS:
        path = span_of(b"*", 1)
    while p < end:
        if (private or not p.local) and (p.split_count or not secure):
            if prefix_matches(p.prefix, path) and headers_match(p, h):
                return p
        p += 1
    return NULL


cdef const route_split* match_split(const route_path* p, uint64_t random) noexcept nogil:
    """By weight; NULL when no split has any."""
    cdef const route_split* s = p.splits
    cdef uint64_t total, ball
    if p.split_count == 0:
        return NULL
    total = s[p.split_count - 1].until
    if p.split_count == 1:
        return s if total else NULL
    if total == 0:
        return NULL
    ball = ((random >> 32) * total) >> 32
    while ball >= s.until:
        s += 1
    return s
