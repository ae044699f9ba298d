# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""account: bodies; the story is in account.pxd.

Floor      proxy: may cimport every floor below.
"""

from ext.proxy.context cimport proxy_of
from ext.stats.busy cimport busy_in, busy_out
from ext.stats.shard cimport counter_add, counter_set


cdef void account_start(exchange* x) noexcept nogil:
    """A head has come."""
    counter_add(&x.home.stats.requests[x.label], 1)


cdef void account_in(exchange* x) noexcept nogil:
    """It is a request for the app: from here on the autoscaler counts it (spec 1.9)."""
    counter_set(x.home.stats.last_request_start_ns, x.home.now_ns)
    if x.bypass:
        return
    x.counted = True
    busy_in(&proxy_of(x.home).load, x.home.now_ns, x.proxied)


cdef void account_done(exchange* x, const stream* down) noexcept nogil:
    """The last byte has gone, or nothing more will."""
    if x.counted:
        x.counted = False
        busy_out(&proxy_of(x.home).load, x.home.now_ns, x.proxied)
