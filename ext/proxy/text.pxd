# cython: language_level=3
"""text: a string of the route table, kept once however many routes have it.

The pool holds one share of each text, and lets go of those that nobody else
has when it has doubled since it last looked. So a worker that drops the last
share of some routes never touches the pool.

Who may write
    shares     any thread, by add
    the pool   a thread that holds the GIL
    the rest   nobody, once it is made
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from ext.base.span cimport span, span_of

cdef struct text:
    uint64_t shares
    uint64_t hash            # ext.base.fnv
    uint32_t len
    uint8_t name_id          # of ext.http.names; 0: no field name, or an unknown one
    char at[1]               # inline: len bytes

cdef text* text_intern(const char* at, size_t n) noexcept
cdef void text_drop(text* t) noexcept nogil
cdef size_t text_pool_count() noexcept


cdef inline span text_span(const text* t) noexcept nogil:
    return span_of(t.at, t.len)
