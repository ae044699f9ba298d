# cython: language_level=3
"""dial: which protocol a new connection of ours speaks."""

from libc.stdint cimport uint8_t

from ext.mux.client cimport client
from ext.transport.transport cimport transport
from ext.transport.worker cimport worker

cdef bint dial_is_shared(uint8_t version) noexcept nogil
cdef client* dial_open(worker* w, transport* t, uint8_t version) noexcept nogil
