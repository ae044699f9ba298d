# cython: language_level=3
"""h2_output: what an HTTP/2 connection sends, from the streams' bodies to the kernel.

nghttp2 decides which frame comes next and gives its header; the body goes
straight from its stream into `out`, behind that header. What send_body offers
while nothing waits is copied once; a stream's queue is copied a second time.
"""

from libc.stdint cimport uint8_t

from ext.mux.h2_session cimport h2_session, h2_stream
from ext.mux.nghttp2 cimport nghttp2_data_provider, nghttp2_data_source, nghttp2_frame, nghttp2_session

cdef int h2_output_frame(h2_session* s) noexcept nogil
cdef int h2_output_write(h2_session* s) noexcept nogil
cdef void h2_output_wake(h2_stream* st) noexcept nogil
cdef void h2_output_body(h2_stream* st, nghttp2_data_provider* body) noexcept nogil
cdef int h2_output_data(
    nghttp2_session* ng, nghttp2_frame* frame, const uint8_t* header, size_t n, nghttp2_data_source* source, void* user
) noexcept nogil
