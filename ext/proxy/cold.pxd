# cython: language_level=3
"""cold: what a request that was held has waited for: counted by phase, and said in Server-Timing.

    came ──queued──► decided ──► created ──► started ──► ready ──queued──► granted ──forwarded──► answered

How long the middle four took says whoever makes instances; he says it when
one is ready. A request that came later than the first has seen their end only,
and is told of that much. The two ends are ours: what is left of the wait, and
the way to the instance and back. So the phases sum up to the time until the
head of the answer, whatever clocks others have.

A request that waited while no instance became ready waited for a slot: that is
no cold start.

Who may write   the histograms: the worker.
"""

from ext.base.span cimport span
from ext.proxy.exchange cimport exchange

cdef extern from * nogil:
    """
    static const char* const cold_names[] = {"queued", "decided", "created", "started", "ready", "forwarded"};
    """
    const char* const* cold_names    # borrows: static; by cold_phase

cdef enum cold_phase:
    COLD_QUEUED
    COLD_DECIDED             # the four of ext.upstream.roster.start, in their order
    COLD_CREATED
    COLD_STARTED
    COLD_READY
    COLD_FORWARDED

cdef span cold_answered(exchange* x) noexcept nogil
