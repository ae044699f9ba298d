# cython: language_level=3
cdef client* h2_client_open(worker* w, transport* t) noexcept nogil:
    t.ops.close(t, True)
    return NULL
