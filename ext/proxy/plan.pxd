# cython: language_level=3
"""plan: what every worker does, as the request path reads it; ext.plan builds it from Python.

Never written after it was handed over. A worker borrows it for the turn; an
exchange, which may live for hours, shares its target only.
"""

from libc.stdint cimport uint8_t, uint16_t, uint64_t

from ext.upstream.target cimport target

cdef enum:
    LISTENERS_MAX = 16       # ports of one process

cdef enum service_kind:
    SERVE_NOTHING = 0
    SERVE_TARGET             # requests go to a target; probes are answered on the way
    SERVE_PYTHON             # every request goes to the control thread

cdef struct service:
    service_kind kind
    uint8_t label            # listener_kind of the statistics
    target* to               # shares; SERVE_TARGET only

cdef struct trust:
    uint8_t network[16]      # IPv4 mapped
    int bits

cdef struct proxy_plan:
    int version
    service services[16]     # by listener id
    trust* trusted           # owns; peers whose platform headers are believed
    int trusted_count        # 0: everyone
    bint metrics             # label sets are counted
    bint logging             # finished exchanges go to the journal
    bint log_probes
    bint tracing             # spans are made: ids are given, and finished exchanges go to the journal
    bint trace_parent        # a caller's decision to sample is followed
    uint64_t trace_threshold  # a new trace is sampled when its random number is below; all ones: always
    uint16_t detail          # 1: Proxy-Status is sent
