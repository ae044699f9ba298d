# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""lookup: the test door to the lookup of hosts, paths and splits in a plan's table.

Floor      testing: may cimport everything; imported only by tests and micro benchmarks.
Takes      a plan, and request heads as bytes, which the parser of HTTP/1 reads.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from ext.base.clock cimport clock_now_ns
from ext.http.h1_fields cimport h1_limits
from ext.http.h1_parse cimport h1_parse_request
from ext.http.head cimport field, head
from ext.plan cimport Plan
from ext.proxy.match cimport match_host, match_path, match_split
from ext.proxy.routes cimport host_routes, route_path, route_split
from ext.proxy.text cimport text, text_pool_count

cdef enum:
    FIELDS_MAX = 64


cdef str shown(const text* t):
    return t.at[: t.len].decode()


cdef class Lookup:
    """One request head, and what plans say of it.

    Ownership
        at      owns    the copy of the bytes
        table   owns    room for the fields
    """
    cdef char* at
    cdef field* table
    cdef head h

    def __cinit__(self, bytes data):
        cdef h1_limits lim = h1_limits(head_max=65536, fields_max=FIELDS_MAX, observe=False)
        cdef size_t used = 0
        self.at = <char*>malloc(len(data) + 1)
        self.table = <field*>malloc(sizeof(field) * FIELDS_MAX)
        if self.at is NULL or self.table is NULL:
            raise MemoryError()
        memcpy(self.at, <const char*>data, len(data))
        if h1_parse_request(self.at, len(data), &lim, self.table, &self.h, &used) != 0:
            raise ValueError(f"no head: {data!r}")

    def __dealloc__(self):
        free(self.at)
        free(self.table)

    def path(self, Plan plan not None, bint private, bint secure):
        """(hash of the routes, index of the path); None when there is no route."""
        cdef host_routes* r = match_host(plan.c.hosts, self.h.authority, private)
        cdef const route_path* p = NULL if r is NULL else match_path(r, &self.h, secure, private)
        return None if p is NULL else (shown(r.hash), p - r.paths)

    def split(self, Plan plan not None, uint64_t random):
        """(target, sets by name) that this number leads to, on a private cleartext listener."""
        cdef host_routes* r = match_host(plan.c.hosts, self.h.authority, True)
        cdef const route_split* s = match_split(match_path(r, &self.h, False, True), random)
        cdef int i
        return shown(s.target), {shown(s.sets[i].name): shown(s.sets[i].value) for i in range(s.set_count)}

    def time_ns(self, Plan plan not None, int rounds):
        """What a lookup of host and path takes, mean."""
        cdef uint64_t start = clock_now_ns()
        cdef uint64_t found = 0
        cdef host_routes* routes
        cdef int _i
        for _i in range(rounds):
            routes = match_host(plan.c.hosts, self.h.authority, True)
            found += match_path(routes, &self.h, False, True) is not NULL
        if found != <uint64_t>rounds:
            raise ValueError("there is no route")
        return (clock_now_ns() - start) / rounds


def sizes(Plan plan not None):
    """(hosts, wildcards among them, texts in the pool)."""
    return plan.c.hosts.count, plan.c.hosts.wild_count, text_pool_count()
