# cython: language_level=3
"""target: a named set of endpoints, with a limiter and timeouts.

Built by the plan and never changed afterwards; exchanges share it, so that a
request that runs for hours keeps what it began with. The limiter and the
endpoints live longer: the next plan finds them by name.

Who may write   shares: any thread, by add.
"""

from libc.stdint cimport uint8_t, uint64_t

from ext.admission.limiter cimport limiter
from ext.upstream.endpoint cimport endpoint

cdef enum app_protocol:
    APP_FOLLOW = 0       # as the request came (DP-082)
    APP_HTTP1
    APP_H2C
    APP_DETECT           # as the request came, until an endpoint turns out to speak the other

cdef struct target:
    uint64_t shares
    limiter* gate            # shares; NULL: no limit
    endpoint** endpoints     # owns the array, shares what it holds
    int endpoint_count
    uint64_t request_ns      # for all of a request (DP-098); 0: fires at once
    uint64_t start_ns        # until the answer starts (DP-101); 0: none
    uint64_t idle_ns         # between two pieces of the answer (DP-103); 0: none
    uint8_t speaks           # app_protocol

cdef target* target_new(int endpoint_count) noexcept nogil
cdef target* target_share(target* t) noexcept nogil
cdef void target_drop(target* t) noexcept nogil
