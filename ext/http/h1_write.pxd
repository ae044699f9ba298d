# cython: language_level=3
"""h1_write: turns heads into HTTP/1 bytes.

The fields of the head are already decided. What the connection adds (Host,
Connection, Transfer-Encoding) comes as `extra` and is written first.
Neighbouring FIELD_CLEAN lines that lie side by side in memory are copied at
once, as they came; a field that was taken out only ends such a run.
"""

from ext.base.chain cimport chain
from ext.base.span cimport span, span_of
from ext.http.head cimport field, head

cdef int h1_write_request(chain* out, const head* h, const field* extra, int extra_count) noexcept nogil
cdef int h1_write_response(
    chain* out, const head* h, int version, const field* extra, int extra_count
) noexcept nogil
cdef int h1_write_trailers(chain* out, const head* h) noexcept nogil
cdef size_t h1_chunk_head(char* out, size_t n) noexcept nogil


cdef inline void h1_extra(field* extra, int* count, const char* name, size_t name_n, span value) noexcept nogil:
    """One more field that the connection adds."""
    extra[count[0]].name = span_of(name, name_n)
    extra[count[0]].value = value
    count[0] += 1
