# cython: language_level=3
"""match: which routes a request head leads to, and which split it falls to.

Hosts: the exact name, else the longest wildcard, else `*`. Paths: the first
whose prefix and whose headers match, in the order given (NW spec 1.17, 1.18).
For who comes by a public listener, a local path, and a host that has no other,
is as if it were not there (1.11, 1.21). Nothing is allocated, and nothing of the request is changed before.
"""

from libc.stdint cimport uint64_t

from ext.base.span cimport span
from ext.http.head cimport head
from ext.proxy.routes cimport host_routes, host_table, route_path, route_split

cdef host_routes* match_host(const host_table* t, span authority, bint private) noexcept nogil
cdef const route_path* match_path(const host_routes* r, const head* h, bint secure, bint private) noexcept nogil
cdef const route_split* match_split(const route_path* p, uint64_t random) noexcept nogil
cdef span match_host_name(span authority) noexcept nogil
