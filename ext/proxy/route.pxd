# cython: language_level=3
"""route: decides what becomes of a request head: a target, the control thread, or an answer at once.

Probes and health checks are recognised here, in the order of the decision
table of spec 1.7; path and method play no part.
"""

from ext.proxy.exchange cimport exchange

cdef enum verdict:
    ROUTE_FORWARD        # to exchange.to
    ROUTE_PYTHON         # the control thread answers
    ROUTE_ANSWERED       # has been answered

cdef verdict route_decide(exchange* x) noexcept nogil
cdef bint route_trusts(const exchange* x) noexcept nogil
