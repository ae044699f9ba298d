# cython: language_level=3
"""plan: what every worker does, as the request path reads it; ext.plan builds it from Python.

Never written after it was handed over. A worker borrows it for the turn; an
exchange, which may live for hours, shares its target only.
"""

from libc.stdint cimport uint8_t, uint16_t, uint64_t

from ext.base.span cimport span
from ext.proxy.directory cimport directory
from ext.proxy.routes cimport host_table
from ext.upstream.target cimport target

cdef enum:
    LISTENERS_MAX = 16       # ports of one process

cdef enum service_kind:
    SERVE_NOTHING = 0
    SERVE_TARGET             # requests go to a target; probes are answered on the way
    SERVE_PYTHON             # every request goes to the control thread
    SERVE_REVISION           # requests go to the target of the revision that they name
    SERVE_HOSTS              # requests go where the routes of their host lead

cdef enum role:
    ROLE_SIDECAR = 0         # statuses and texts as the platform's
    ROLE_ACTIVATOR           # likewise, and what a sidecar expects of an activator
    ROLE_GATEWAY             # statuses of the other column of the fault table

cdef struct service:
    service_kind kind
    uint8_t label            # listener_kind of the statistics
    uint8_t role
    bint private             # SERVE_HOSTS: local hosts answer here as well
    target* to               # shares; SERVE_TARGET only

cdef struct trust:
    uint8_t network[16]      # IPv4 mapped
    int bits

cdef struct proxy_plan:
    int version
    service services[16]     # by listener id
    directory* targets       # shares
    host_table* hosts        # shares; NULL: none
    span domain              # owns what it points to; the cluster's, as in Host `<revision>.<namespace>.svc.<domain>`
    trust* trusted           # owns; peers whose platform headers are believed
    int trusted_count        # 0: everyone
    bint metrics             # label sets are counted
    bint timing              # Server-Timing is sent to who was held
    bint logging             # finished exchanges go to the journal
    bint log_probes
    bint tracing             # spans are made: ids are given, and finished exchanges go to the journal
    bint trace_parent        # a caller's decision to sample is followed
    uint64_t trace_threshold  # a new trace is sampled when its random number is below; all ones: always
    uint16_t detail          # 1: Proxy-Status is sent
