# cython: language_level=3
"""target: how requests for one name are treated: timeouts, protocol, and who serves them.

Made when its terms change and never changed itself; plans and exchanges share
it, so that a request that runs for hours keeps what it began with. The roster
lives longer: the next target of that name has the same one.

A target has either one endpoint that the plan names (`only`: a sidecar's app),
or those that its roster has now.

Who may write   shares: any thread, by add.
"""

from libc.stdint cimport uint8_t, uint64_t

from ext.admission.limiter cimport limiter
from ext.upstream.member cimport member
from ext.upstream.roster cimport roster

cdef enum app_protocol:
    APP_FOLLOW = 0       # as the request came (DP-082)
    APP_HTTP1
    APP_H2C
    APP_DETECT           # as the request came, until an endpoint turns out to speak the other

cdef struct target:
    uint64_t shares
    roster* live             # shares
    limiter* gate            # borrows: the roster's; NULL: no limit
    member* only             # owns; NULL: whoever is in the roster
    uint64_t request_ns      # for all of a request (DP-098); 0: fires at once
    uint64_t start_ns        # until the answer starts (DP-101); 0: none
    uint64_t idle_ns         # between two pieces of the answer (DP-103); 0: none
    uint8_t speaks           # app_protocol
    bint marks               # requests are marked as having come through an activator
    bint reports             # somebody reads the roster's numbers
    bint sets_aside          # a member that refuses gets no request until Python says that it is well
    char* host               # owns; an activator's requests carry this Host and K-Passthrough-Lb (DP-185); NULL: none
    size_t host_len

cdef target* target_new(roster* live) noexcept nogil
cdef bint target_passes_as(target* t, const char* host, size_t n) noexcept nogil
cdef target* target_share(target* t) noexcept nogil
cdef void target_drop(target* t) noexcept nogil
