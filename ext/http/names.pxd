# cython: language_level=3
"""names: which field names the proxy knows, and what they are.

A known name has an id below 64, so that a head can say in one word which of
them it holds. The table is made from names.toml by names_gen.py. A lookup costs
one multiplication for each of four properties of the name and one comparison,
8 bytes at a time; no name collides with another.
"""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

include "names.pxi"


cdef inline uint8_t name_flags(int name_id) noexcept nogil:
    """name_flag bits; 0 for an unknown name."""
    return name_rows[name_id].flags


cdef inline bint name_agrees(const char* at, size_t n, const name_row* row) noexcept nogil:
    """The name is the row's, whatever its case; exact for any bytes."""
    cdef uint64_t word, mask, text
    cdef size_t i = 0
    if n < 8:
        for i in range(n):
            if (at[i] | row.mask[i]) != row.text[i]:
                return False
        return True
    while True:
        memcpy(&word, at + i, 8)
        memcpy(&mask, row.mask + i, 8)
        memcpy(&text, row.text + i, 8)
        if (word | mask) != text:
            return False
        if i == n - 8:
            return True
        i += 8
        if i > n - 8:
            i = n - 8


cdef inline uint8_t name_lookup(const char* at, size_t n) noexcept nogil:
    """The id of a field name, case-insensitive; 0 when it is not known."""
    cdef unsigned int place
    cdef uint8_t found
    if n < 2:
        return 0
    place = (
        <unsigned int>n * NAME_FACTOR_LENGTH
        + <unsigned int>(<uint8_t>at[0] | 0x20) * NAME_FACTOR_FIRST
        + <unsigned int>(<uint8_t>at[n // 2] | 0x20) * NAME_FACTOR_MIDDLE
        + <unsigned int>(<uint8_t>at[n - 1] | 0x20) * NAME_FACTOR_LAST
    )
    found = name_slots[place & 0xff]
    if found and name_rows[found].len == n and name_agrees(at, n, &name_rows[found]):
        return found
    return 0
