# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""busy: bodies; the story is in busy.pxd.

Floor      stats: may cimport ext.base, nothing else.
Takes      one call at the arrival of a request and one at its end, with the time.
Gives      a tuple that belongs together, whatever the worker does meanwhile.
Never      divides, forgets, or goes back.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memset

from ext.base.atomics cimport i64_load_acquire, u64_load_acquire, u64_load_relaxed

cdef extern from "sched.h" nogil:
    int sched_yield()


cdef void busy_init(busy* b, uint64_t now_ns) noexcept nogil:
    memset(b, 0, sizeof(busy))
    b.changed_ns = now_ns


cdef void busy_copy(const busy* b, busy* into) noexcept nogil:
    """Any thread; tries again when the worker was writing."""
    while True:
        into.seq = u64_load_acquire(&b.seq)
        into.changed_ns = u64_load_acquire(&b.changed_ns)
        into.running_ns = u64_load_acquire(&b.running_ns)
        into.proxied_ns = u64_load_acquire(&b.proxied_ns)
        into.running = i64_load_acquire(&b.running)
        into.proxied = i64_load_acquire(&b.proxied)
        into.arrived = u64_load_acquire(&b.arrived)
        into.arrived_proxied = u64_load_acquire(&b.arrived_proxied)
        if not into.seq & 1 and u64_load_relaxed(&b.seq) == into.seq:
            return
        sched_yield()


cdef object busy_read(const busy* b):
    """(changed_ns, running, proxied, running_ns, proxied_ns, arrived, arrived_proxied), of one moment."""
    cdef busy copy
    busy_copy(b, &copy)
    return (
        copy.changed_ns, copy.running, copy.proxied, copy.running_ns, copy.proxied_ns, copy.arrived,
        copy.arrived_proxied,
    )
