# cython: language_level=3
"""fuzz_sniff: what must hold for the first bytes of any caller, however they are cut.

The first byte says how the line behaves and what ALPN agreed on, the second
where the bytes are cut; the rest are the caller's. The verdict itself is held
against the preface, byte by byte. Then a real connection takes the same bytes
at once, cut, and one by one: the same protocol must answer, or none at all,
and nothing is left of the connection. Returns 0, or the number of the promise
that was broken.
"""

cdef int fuzz_sniff(const char* data, size_t n) noexcept nogil
