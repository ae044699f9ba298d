# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""forwarded: bodies; the story is in forwarded.pxd.

Floor      proxy: may cimport every floor below.
"""

from libc.string cimport memcpy

from ext.base.arena cimport arena_take
from ext.base.span cimport span, span_of, span_trim
from ext.http.head cimport head
from ext.http.names cimport NAME_FORWARDED, NAME_X_FORWARDED_FOR, NAME_X_FORWARDED_HOST, NAME_X_FORWARDED_PROTO


cdef span first_value(const head* h, int name_id) noexcept nogil:
    """The first value that is not empty."""
    cdef int i
    for i in range(h.field_count):
        if h.fields[i].id == name_id and h.fields[i].value.len:
            return h.fields[i].value
    return span_of(NULL, 0)


cdef bint is_token_char(char c) noexcept nogil:
    if (c >= b'0' and c <= b'9') or (c >= b'a' and c <= b'z') or (c >= b'A' and c <= b'Z'):
        return True
    return (
        c == b'.' or c == b'-' or c == b'_' or c == b'~' or c == b'!' or c == b'#' or c == b'$' or c == b'%'
        or c == b'&' or c == b'\'' or c == b'*' or c == b'+' or c == b'^' or c == b'`' or c == b'|'
    )


cdef char* text(char* at, const char* what, size_t n) noexcept nogil:
    memcpy(at, what, n)
    return at + n


cdef char* value(char* at, span v, bint bracket) noexcept nogil:
    """A token as it is, anything else quoted; at most 2 bytes for each of v, and 4."""
    cdef size_t i
    cdef bint plain = not bracket
    for i in range(v.len):
        if not is_token_char(v.at[i]):
            plain = False
            break
    if plain:
        return text(at, v.at, v.len)
    at = text(at, b"\"[" if bracket else b"\"", 2 if bracket else 1)
    for i in range(v.len):
        if v.at[i] == b'"' or v.at[i] == b'\\':
            at = text(at, b"\\", 1)
        at = text(at, &v.at[i], 1)
    return text(at, b"]\"" if bracket else b"\"", 2 if bracket else 1)


cdef bint is_bare_ipv6(span node) noexcept nogil:
    """More than one colon and no bracket: an IPv6 address without a port."""
    cdef size_t i
    cdef int colons = 0
    for i in range(node.len):
        if node.at[i] == b'[':
            return False
        if node.at[i] == b':':
            colons += 1
    return colons > 1


cdef span forwarded_value(exchange* x, const head* h) noexcept nogil:
    """Empty when there is nothing to say, or a Forwarded of the caller's stands."""
    cdef span host = first_value(h, NAME_X_FORWARDED_HOST)
    cdef span proto = first_value(h, NAME_X_FORWARDED_PROTO)
    cdef span whole, node
    cdef size_t room = 2 * (host.len + proto.len) + 32
    cdef size_t start, end
    cdef bint any_node = False
    cdef char* made
    cdef char* at
    cdef int i
    if first_value(h, NAME_FORWARDED).len:
        return span_of(NULL, 0)
    for i in range(h.field_count):
        if h.fields[i].id == NAME_X_FORWARDED_FOR and h.fields[i].value.len:
            room += 12 * h.fields[i].value.len + 16
            any_node = True
    if not any_node and host.len == 0 and proto.len == 0:
        return span_of(NULL, 0)
    made = <char*>arena_take(x.mem, room)
    if made is NULL:
        return span_of(NULL, 0)
    at = made
    any_node = False
    for i in range(h.field_count):
        if h.fields[i].id != NAME_X_FORWARDED_FOR or h.fields[i].value.len == 0:
            continue
        whole = h.fields[i].value
        start = 0
        while start < whole.len:
            end = start
            while end < whole.len and whole.at[end] != b',':
                end += 1
            node = span_trim(span_of(whole.at + start, end - start))
            at = text(at, b", for=" if any_node else b"for=", 6 if any_node else 4)
            at = value(at, node, is_bare_ipv6(node))
            if not any_node:
                at = origin(at, host, proto, True)
            any_node = True
            start = end + 1
    if not any_node:
        at = origin(at, host, proto, False)
    return span_of(made, <size_t>(at - made))


cdef char* origin(char* at, span host, span proto, bint behind) noexcept nogil:
    """Host before proto, separated where something stands before."""
    if host.len:
        at = text(at, b";host=" if behind else b"host=", 6 if behind else 5)
        at = value(at, host, False)
        behind = True
    if proto.len:
        at = text(at, b";proto=" if behind else b"proto=", 7 if behind else 6)
        at = value(at, proto, False)
    return at
