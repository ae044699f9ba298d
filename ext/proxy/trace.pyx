# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""trace: bodies; the story is in trace.pxd.

Floor      proxy: may cimport every floor below.
"""

from libc.stdint cimport uint64_t

from ext.base.arena cimport arena_take
from ext.base.span cimport span, span_of
from ext.http.head cimport field, head_find
from ext.http.names cimport NAME_TRACEPARENT
from ext.proxy.context cimport proxy_context, proxy_of, proxy_random
from ext.proxy.plan cimport proxy_plan

cdef uint64_t ALWAYS = <uint64_t>-1


cdef int digit_of(char c) noexcept nogil:
    if c >= c'0' and c <= c'9':
        return c - c'0'
    if c >= c'a' and c <= c'f':
        return c - c'a' + 10
    return -1


cdef bint word_of(const char* at, int digits, uint64_t* word) noexcept nogil:
    """Lower-case hexadecimal, as the W3C's recommendation has it."""
    cdef int i, digit
    word[0] = 0
    for i in range(digits):
        digit = digit_of(at[i])
        if digit < 0:
            return False
        word[0] = word[0] << 4 | <uint64_t>digit
    return True


cdef bint take_parent(exchange* x, uint64_t* flags) noexcept nogil:
    """The caller's trace; False when there is none that is valid."""
    cdef const field* f = head_find(x.request, NAME_TRACEPARENT)
    cdef const char* at
    cdef uint64_t version
    if f is NULL or f.value.len < TRACEPARENT_BYTES:
        return False
    at = f.value.at
    if not word_of(at, 2, &version) or version == 255 or (version == 0 and f.value.len != TRACEPARENT_BYTES):
        return False
    if at[2] != c'-' or at[35] != c'-' or at[52] != c'-' or (f.value.len > TRACEPARENT_BYTES and at[55] != c'-'):
        return False
    if not word_of(at + 3, 16, &x.trace[0]) or not word_of(at + 19, 16, &x.trace[1]):
        return False
    if not word_of(at + 36, 16, &x.trace[3]) or not word_of(at + 53, 2, flags):
        return False
    return (x.trace[0] or x.trace[1]) and x.trace[3]


cdef void trace_begin(exchange* x) noexcept nogil:
    """Gives ids and decides whether spans are exported."""
    cdef proxy_context* p = proxy_of(x.home)
    cdef const proxy_plan* plan = p.plan
    cdef uint64_t flags = 0
    cdef bint sampled
    cdef bint has_parent
    if not plan.tracing:
        return
    has_parent = take_parent(x, &flags)
    if not has_parent:
        x.trace[0] = proxy_random(p)
        x.trace[1] = proxy_random(p)
        x.trace[3] = 0
    if has_parent and plan.trace_parent:
        sampled = flags & 1
    else:
        sampled = plan.trace_threshold == ALWAYS or x.trace[1] < plan.trace_threshold
    x.trace[2] = proxy_random(p)
    x.call_span = proxy_random(p)
    x.trace_flags = TRACE_ON | (TRACE_SAMPLED if sampled else 0) | (0 if has_parent else TRACE_NEW)


cdef char* trace_hex(char* to, uint64_t word) noexcept nogil:
    """16 lower-case digits; gives what stands behind them."""
    cdef int shift = 60
    cdef int digit
    while shift >= 0:
        digit = <int>(word >> shift) & 15
        to[0] = <char>(c'0' + digit if digit < 10 else c'a' + digit - 10)
        to += 1
        shift -= 4
    return to


cdef span trace_parent_value(exchange* x) noexcept nogil:
    """What the app gets; empty when tracing is off or there is no memory."""
    cdef char* start
    cdef char* to
    if not x.trace_flags & TRACE_ON:
        return span_of(NULL, 0)
    start = <char*>arena_take(x.mem, TRACEPARENT_BYTES)
    if start is NULL:
        return span_of(NULL, 0)
    start[0] = c'0'
    start[1] = c'0'
    start[2] = c'-'
    to = trace_hex(trace_hex(start + 3, x.trace[0]), x.trace[1])
    to[0] = c'-'
    to = trace_hex(to + 1, x.call_span)
    to[0] = c'-'
    to[1] = c'0'
    to[2] = c'1' if x.trace_flags & TRACE_SAMPLED else c'0'
    return span_of(start, TRACEPARENT_BYTES)
