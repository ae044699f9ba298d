# cython: language_level=3
"""account: what the statistics keep of an exchange, at its beginning and at its end."""

from ext.mux.stream cimport stream
from ext.proxy.exchange cimport exchange

cdef void account_start(exchange* x) noexcept nogil
cdef void account_in(exchange* x) noexcept nogil
cdef void account_fault(exchange* x, int fault) noexcept nogil
cdef void account_done(exchange* x, const stream* down) noexcept nogil
