# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""head: bodies; the story is in head.pxd.

Floor      http: may cimport ext.base, nothing else.
"""

from libc.string cimport memcpy

from ext.base.arena cimport arena, arena_take
from ext.base.span cimport span

MEND_NAMES = (
    "lengths", "line_end", "fold", "both_lengths", "name_space", "status_space", "chunk_space",
)  # fmt: skip


cdef inline void span_rebase(span* s, const char* start, size_t n, char* copy) noexcept nogil:
    """Points into the copy what pointed into the `n` bytes at `start`; other bytes outlive every head."""
    if s.at >= start and s.at <= start + n:
        s.at = copy + (s.at - start)


cdef head* head_keep(const head* h, const char* start, size_t n, arena* a) noexcept nogil:
    """The same head in an arena, with its `n` bytes at `start`; NULL when there is no memory."""
    cdef size_t table = sizeof(field) * <size_t>h.field_count
    cdef head* kept = <head*>arena_take(a, sizeof(head) + table + n)
    cdef char* copy
    cdef int i
    if kept is NULL:
        return NULL
    kept[0] = h[0]
    kept.fields = <field*>(kept + 1)
    copy = <char*>kept + sizeof(head) + table
    if table:
        memcpy(kept.fields, h.fields, table)
    if n:
        memcpy(copy, start, n)
    span_rebase(&kept.method_text, start, n, copy)
    span_rebase(&kept.target, start, n, copy)
    span_rebase(&kept.scheme, start, n, copy)
    span_rebase(&kept.authority, start, n, copy)
    span_rebase(&kept.reason, start, n, copy)
    span_rebase(&kept.upgrade, start, n, copy)
    for i in range(h.field_count):
        span_rebase(&kept.fields[i].name, start, n, copy)
        span_rebase(&kept.fields[i].value, start, n, copy)
    return kept
