# cython: language_level=3
"""busy: time-weighted requests in flight, what the autoscaler eats.

The two integrals and the two arrival counts only ever grow (modulo 2^64), so
a reader keeps what it saw last and takes the difference: the mean concurrency
of a window is the difference of the integral over that of the time. Between
two changes an integral grows by `running` per nanosecond; at `now` it stands
at running_ns + running * (now - changed_ns).

Who may write   the worker that owns it; one other thread at a time may read.

`seq` is odd while the worker writes. Every other word is stored with release
and loaded with acquire, so a reader that meets a new value also meets the new
`seq`, and reads again.
"""

from libc.stdint cimport int64_t, uint64_t

from ext.base.atomics cimport i64_store_release, u64_store_relaxed, u64_store_release

cdef struct busy:
    uint64_t seq
    uint64_t changed_ns      # when any of the below changed last
    int64_t running          # requests in flight
    int64_t proxied          # those of them that came through an activator
    uint64_t running_ns      # integral of running, request nanoseconds
    uint64_t proxied_ns      # integral of proxied
    uint64_t arrived         # requests since the start
    uint64_t arrived_proxied

cdef void busy_init(busy* b, uint64_t now_ns) noexcept nogil
cdef object busy_read(const busy* b)


cdef inline void busy_change(busy* b, uint64_t now_ns, int running, int proxied) noexcept nogil:
    """A step back in time adds nothing (DP-133)."""
    cdef uint64_t passed_ns = now_ns - b.changed_ns if now_ns > b.changed_ns else 0
    u64_store_relaxed(&b.seq, b.seq + 1)
    u64_store_release(&b.changed_ns, b.changed_ns + passed_ns)
    u64_store_release(&b.running_ns, b.running_ns + <uint64_t>b.running * passed_ns)
    u64_store_release(&b.proxied_ns, b.proxied_ns + <uint64_t>b.proxied * passed_ns)
    i64_store_release(&b.running, b.running + running)
    i64_store_release(&b.proxied, b.proxied + proxied)
    u64_store_release(&b.arrived, b.arrived + (1 if running > 0 else 0))
    u64_store_release(&b.arrived_proxied, b.arrived_proxied + (1 if proxied > 0 else 0))
    u64_store_release(&b.seq, b.seq + 1)


cdef inline void busy_in(busy* b, uint64_t now_ns, bint is_proxied) noexcept nogil:
    """A request has arrived; exactly one busy_out with the same `is_proxied` follows."""
    busy_change(b, now_ns, 1, 1 if is_proxied else 0)


cdef inline void busy_out(busy* b, uint64_t now_ns, bint is_proxied) noexcept nogil:
    busy_change(b, now_ns, -1, -1 if is_proxied else 0)
