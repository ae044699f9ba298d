# cython: language_level=3
"""plan: the door through which Python tells the engine what to do."""

from ext.proxy.plan cimport proxy_plan


cdef class Plan:
    """What every worker does next: services by listener, targets, trust.

    Built once, never written again; changed only by building another. Python
    may drop it at any time: the engine keeps a reference until the last worker
    has moved on.

    Ownership
        c            inline
        c.trusted    owns    one array
        c.domain     owns    its text
        c.targets    shares  the directory; a plan without changes has that of the plan before
        c.hosts      shares  the table, likewise
        c.services   shares  targets, counted; they outlive plans
    """
    cdef proxy_plan c
    cdef readonly int version

    cdef void take_trusted(self, trusted) except *
    cdef void take_domain(self, bytes domain) except *
    cdef void take_targets(self, live, dict targets, Plan previous, without) except *
    cdef void take_hosts(self, dict hosts, Plan previous) except *
    cdef void take_services(self, live, dict services, int role) except *
