# cython: language_level=3
"""span: bytes that somebody else owns, as pointer and length."""

from libc.stdint cimport int64_t
from libc.string cimport memcmp

cdef struct span:
    const char* at     # borrows: from whoever says so beside the field
    size_t len


cdef inline span span_of(const char* at, size_t n) noexcept nogil:
    cdef span s
    s.at = at
    s.len = n
    return s


cdef inline bint span_is(span s, const char* text, size_t n) noexcept nogil:
    return s.len == n and (n == 0 or memcmp(s.at, text, n) == 0)


cdef inline bint span_equals(span a, span b) noexcept nogil:
    return a.len == b.len and (a.len == 0 or memcmp(a.at, b.at, a.len) == 0)


cdef inline char ascii_lower(char c) noexcept nogil:
    return <char>(c | 0x20) if c >= b'A' and c <= b'Z' else c


cdef inline bint span_is_nocase(span s, const char* lower, size_t n) noexcept nogil:
    """`lower` is in lower case already."""
    cdef size_t i
    if s.len != n:
        return False
    for i in range(n):
        if ascii_lower(s.at[i]) != lower[i]:
            return False
    return True


cdef inline bint span_equals_nocase(span a, span b) noexcept nogil:
    cdef size_t i
    if a.len != b.len:
        return False
    for i in range(a.len):
        if ascii_lower(a.at[i]) != ascii_lower(b.at[i]):
            return False
    return True


cdef inline bint span_starts(span s, const char* text, size_t n) noexcept nogil:
    return s.len >= n and memcmp(s.at, text, n) == 0


cdef inline span span_trim(span s) noexcept nogil:
    """Without the spaces and tabs at both ends (RFC 9110, OWS)."""
    while s.len and (s.at[0] == b' ' or s.at[0] == b'\t'):
        s.at += 1
        s.len -= 1
    while s.len and (s.at[s.len - 1] == b' ' or s.at[s.len - 1] == b'\t'):
        s.len -= 1
    return s


cdef inline int64_t span_number(span s) noexcept nogil:
    """A decimal number without sign; -1 when it is none or above 2^62."""
    cdef int64_t n = 0
    cdef size_t i
    if s.len == 0 or s.len > 18:
        return -1
    for i in range(s.len):
        if s.at[i] < b'0' or s.at[i] > b'9':
            return -1
        n = n * 10 + <int64_t>(s.at[i] - c'0')
    return n


cdef inline bint span_next(span* rest, span* item) noexcept nogil:
    """Takes the next element of a comma-separated list, trimmed; False at the end.

    Commas inside quoted strings do not separate (RFC 9110 5.6.1).
    """
    cdef size_t i = 0
    cdef bint quoted = False
    if rest.at == NULL:
        return False
    while i < rest.len:
        if rest.at[i] == b'"':
            quoted = not quoted
        elif rest.at[i] == b'\\' and quoted:
            i += 1
        elif rest.at[i] == b',' and not quoted:
            break
        i += 1
    if i > rest.len:
        i = rest.len
    item[0] = span_trim(span_of(rest.at, i))
    if i < rest.len:
        rest.at += i + 1
        rest.len -= i + 1
    else:
        rest.at = NULL
        rest.len = 0
    return True
