# cython: language_level=3
"""h2_head: heads to and from the fields of HTTP/2.

In     A field is copied once, as the line that HTTP/1 would write, so that a
       head is forwarded there without another look (FIELD_CLEAN). nghttp2 has
       checked names, values and pseudo-fields by then (RFC 9113 8.2, 8.3);
       checked here is what makes a message mean two things: the authority
       beside Host, the target, and the sizes.
Out    Fields of the connection stay behind (RFC 9113 8.2.2); nghttp2 writes
       the names in lower case.
"""

from ext.base.arena cimport arena
from ext.http.head cimport head
from ext.mux.h2_session cimport h2_intake
from ext.mux.nghttp2 cimport nghttp2_nv

cdef enum:
    NV_ON_STACK = 96    # fields of a head that need no allocation
    NV_PSEUDO = 4       # pseudo-fields of a request

cdef int h2_intake_begin(h2_intake* k, arena* mem) noexcept nogil
cdef void h2_intake_field(
    h2_intake* k, const char* name, size_t name_len, const char* value, size_t value_len, size_t bytes_max,
    int fields_max,
) noexcept nogil
cdef int h2_intake_request(h2_intake* k, bint last) noexcept nogil
cdef int h2_intake_response(h2_intake* k, bint last, bint to_head) noexcept nogil
cdef int h2_intake_trailers(h2_intake* k, bint of_request) noexcept nogil
cdef size_t h2_request_out(const head* h, bint over_tls, nghttp2_nv* nva) noexcept nogil
cdef size_t h2_response_out(const head* h, char* status, nghttp2_nv* nva) noexcept nogil
cdef size_t h2_trailers_out(const head* h, nghttp2_nv* nva) noexcept nogil
cdef head* h2_trailers_keep(const head* h, arena* mem) noexcept nogil
