# cython: language_level=3
"""h2_stream: one stream of an HTTP/2 connection, either side, as the seam of stream.pxd has it.

A stream lives until its protocol has closed it and its owner has let go, in
whichever order. A message that has come in whole is shown to its end even when
the connection has gone meanwhile.
"""

from libc.stdint cimport uint32_t

from ext.mux.h2_session cimport h2_session, h2_stream
from ext.mux.stream cimport stream_ops

cdef h2_stream* h2_stream_new(h2_session* s) noexcept nogil
cdef void h2_stream_fill_ops(stream_ops* ops) noexcept nogil
cdef int h2_stream_body(h2_stream* st, const char* at, size_t n, bint last) noexcept nogil
cdef void h2_stream_in_end(h2_stream* st) noexcept nogil
cdef void h2_stream_trailers(h2_stream* st) noexcept nogil
cdef void h2_stream_closed(h2_stream* st, uint32_t code) noexcept nogil
cdef void h2_stream_lost(h2_stream* st, int fault) noexcept nogil
cdef void h2_stream_fail(h2_stream* st, int fault, uint32_t code) noexcept nogil
cdef void h2_stream_refuse(h2_stream* st, uint32_t code) noexcept nogil
cdef void h2_stream_intake_end(h2_stream* st) noexcept nogil
