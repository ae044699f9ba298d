# cython: language_level=3
"""h2_callbacks: what nghttp2 tells of, handed to streams and bounds."""

from ext.mux.h2_session cimport h2_session

cdef enum:
    STREAMS_BEFORE_SETTINGS = 100   # that a peer is taken to allow before it has said (RFC 9113 6.5.2)

cdef int h2_session_make(h2_session* s) noexcept nogil
