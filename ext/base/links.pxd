# cython: language_level=3
"""links: an intrusive, doubly linked ring; the empty ring points at itself."""


cdef struct links:
    links* next     # borrows: the neighbour, valid while linked
    links* prev     # borrows: the neighbour, valid while linked


cdef inline void links_init(links* l) noexcept nogil:
    l.next = l
    l.prev = l


cdef inline bint links_empty(const links* l) noexcept nogil:
    return l.next == l


cdef inline void links_remove(links* l) noexcept nogil:
    """Leaves the ring; harmless for a node in none."""
    l.next.prev = l.prev
    l.prev.next = l.next
    l.next = l
    l.prev = l


cdef inline void links_append(links* ring, links* l) noexcept nogil:
    l.prev = ring.prev
    l.next = ring
    ring.prev.next = l
    ring.prev = l


cdef inline void links_prepend(links* ring, links* l) noexcept nogil:
    l.next = ring.next
    l.prev = ring
    ring.next.prev = l
    ring.next = l


cdef inline void links_move_all(links* source, links* target) noexcept nogil:
    """Appends all of one ring to the other; the source is empty afterwards."""
    if links_empty(source):
        return
    source.next.prev = target.prev
    target.prev.next = source.next
    source.prev.next = target
    target.prev = source.prev
    links_init(source)
