# cython: language_level=3
from ext.mux.client cimport client
from ext.transport.transport cimport transport
from ext.transport.worker cimport worker
cdef client* h2_client_open(worker* w, transport* t) noexcept nogil
