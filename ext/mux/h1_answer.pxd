# cython: language_level=3
"""h1_answer: what an exchange says to a caller over HTTP/1: the stream's side of an h1_server.

The framing is chosen here, by the caller's version and the length that is
known: by length, in chunks, or until the connection closes (RFC 9112 6).
release decides what becomes of the connection once the answer is complete.
"""

from ext.mux.stream cimport stream_ops

cdef const stream_ops* h1_answer_ops() noexcept nogil
