# cython: language_level=3
"""h1_fields: the field lines of a head or of a trailer section, RFC 9112 5.

One pass over the bytes, no copy: spans point into the buffer. A line that is
exactly `name ":" OWS value OWS CRLF` is FIELD_CLEAN and may be forwarded as it
is; what frames or routes only with exactly one space. What is refused: folded
lines, bare LF and bare CR, a name that is no token, space before the colon,
control characters in a value.

With `observe` a line that has one reading left after mending is mended instead:
a fold becomes spaces, in the buffer, which is why it must be writable; space
before the colon goes; a line of a response with space inside its name is dropped.
The cause stands in head.mended. A line may only be mended when the section is whole
in the buffer, since it would be read twice otherwise and its cause be lost.
"""

from libc.stdint cimport uint32_t

from ext.http.head cimport field, head

cdef struct h1_limits:
    uint32_t head_max    # bytes of a head, and of a trailer section
    int fields_max       # fields of a head, and of a trailer section
    bint observe         # PENSTOCK_STRICT=observe: mend what has one reading left

cdef int h1_fields_parse(
    char** cursor, char* end, const h1_limits* lim, bint of_request, field* table, head* h
) noexcept nogil


cdef inline int refusal(bint of_request, int request_fault, int response_fault) noexcept nogil:
    """The fault of whoever sent the message, as a result."""
    return -request_fault if of_request else -response_fault
