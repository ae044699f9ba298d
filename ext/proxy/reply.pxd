# cython: language_level=3
"""reply: our own answers: faults as HTTP and gRPC, and answers to probes.

Statuses and bodies are the platform's (spec 3); every 4xx and 5xx of ours adds
Proxy-Status (RFC 9209), which names the cause. A gRPC caller reads grpc-status
and nothing else, so it gets one.
"""

from ext.base.span cimport span
from ext.proxy.exchange cimport exchange

cdef void reply_fault(exchange* x, int fault) noexcept nogil
cdef void reply_text(exchange* x, int status, const char* text, size_t n, span detail) noexcept nogil
cdef void reply_bare(exchange* x, int status, const char* text, size_t n) noexcept nogil
cdef void reply_redirect(exchange* x) noexcept nogil
cdef void reply_with_hash(exchange* x, span hash_value) noexcept nogil
cdef bint reply_cut(exchange* x, int fault) noexcept nogil
cdef void reply_continue(exchange* x) noexcept nogil
