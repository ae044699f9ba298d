# cython: language_level=3
"""fuzz_h2: what must hold for any bytes that an HTTP/2 peer sends, on either side.

The first byte chooses the side and how the line behaves, the second what the
owners of the streams do; the rest are frames, with the preface in front where
it belongs. A worker without a loop, a transport without a socket and owners
that answer, echo, stall, and let go inside events stand around the real mux.
Returns 0, or the number of the promise that was broken: after the connection
no stream, arena, buffer or owner is left.
"""

cdef int fuzz_server(const char* data, size_t n) noexcept nogil
cdef int fuzz_client(const char* data, size_t n) noexcept nogil
