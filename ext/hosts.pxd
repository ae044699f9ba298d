# cython: language_level=3
"""hosts: what happens to requests for a host, as a plan takes it."""

from ext.proxy.routes cimport header_rule, host_routes, route_path


cdef class HostRoutes:
    """The routes of one host, or of several with the same ones.

    Ownership
        c   shares  one share; plans have theirs
    """
    cdef host_routes* c
    cdef int splits_taken
    cdef int rules_taken

    cdef void fill(self, list paths, str hash) except *
    cdef void fill_path(self, route_path* to, tuple path) except *
    cdef header_rule* take_rules(self, dict fields) except NULL
