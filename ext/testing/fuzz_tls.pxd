# cython: language_level=3
"""fuzz_tls: what must hold around TLS, whatever the peer and the owner do, and when.

The first byte says who is who and how narrow the way is; each byte after it is
a step: its low half what is done, its high half how much. The real transport,
over a real socket and a real poller, speaks with OpenSSL (ext.testing.tls_peer);
the bytes between them are carried in pieces, changed, lost, or made up. After
the last step a conversation that nobody has disturbed is carried to its end:
all that was said must have been heard. Returns 0, or the number of the promise
that was broken.
"""

cdef int fuzz_tls(const char* data, size_t n) noexcept nogil
