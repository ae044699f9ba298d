# cython: language_level=3
from ext.transport.transport cimport transport
from ext.transport.worker cimport worker
cdef int h2_server_open(worker* w, transport* t, const char* early, size_t n) noexcept nogil
