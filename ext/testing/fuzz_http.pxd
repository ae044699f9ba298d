# cython: language_level=3
"""fuzz_http: what must hold for any bytes that the HTTP/1 codecs are given.

Each function reads its first bytes as settings and the rest as the message, and
returns 0, or the number of the promise that was broken. The fuzzer's harness
calls them without Python; the kept corpus runs through them in `make test`.
"""

cdef int fuzz_message(const char* data, size_t n) noexcept nogil
cdef int fuzz_chunked(const char* data, size_t n) noexcept nogil
