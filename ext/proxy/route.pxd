# cython: language_level=3
"""route: decides what becomes of a request head: a target, the control thread, or an answer at once.

Probes and health checks are recognised here, in the order of the decision
table of spec 1.7, or of spec 2.2 for an activator; path and method play no part.

A gateway forwards probes like any request, unless the target marks its
requests: then it is the activator of that target as well, and answers in its
place, so that a probe wakes nobody.
"""

from ext.base.span cimport span
from ext.proxy.exchange cimport exchange

cdef enum verdict:
    ROUTE_FORWARD        # to exchange.to
    ROUTE_PYTHON         # the control thread answers
    ROUTE_ANSWERED       # has been answered

cdef verdict route_decide(exchange* x) noexcept nogil
cdef void route_revision(const exchange* x, span* space, span* name) noexcept nogil
cdef bint route_trusts(const exchange* x) noexcept nogil
cdef span route_hash(const exchange* x) noexcept nogil
