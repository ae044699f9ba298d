# cython: language_level=3
"""trace: W3C trace context of an exchange, when tracing is on.

A valid `traceparent` of the caller's is continued, anything else begins a new
trace. The app sees the span of the call to it as its parent. With tracing off
nothing is read, made or changed (DP-151).
"""

from libc.stdint cimport uint64_t

from ext.base.span cimport span
from ext.proxy.exchange cimport exchange

cdef enum trace_flag:
    TRACE_ON = 1         # ids were given
    TRACE_SAMPLED = 2    # spans are exported
    TRACE_NEW = 4        # it began here: what the caller says of another trace is not passed on

cdef enum:
    TRACEPARENT_BYTES = 55

cdef void trace_begin(exchange* x) noexcept nogil
cdef span trace_parent_value(exchange* x) noexcept nogil
cdef char* trace_hex(char* to, uint64_t word) noexcept nogil
