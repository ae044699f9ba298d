# cython: language_level=3
cdef int h2_server_open(worker* w, transport* t, const char* early, size_t n) noexcept nogil:
    t.ops.close(t, True)
    return 0
