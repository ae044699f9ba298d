# cython: language_level=3
"""timers: a hierarchical wheel of millisecond ticks.

Four rings of 256 slots reach 49 days. Setting and dropping a timer is a few
pointer writes, whatever the number of timers, since nearly every deadline of a
proxy is dropped before it is due. A timer in a far ring moves nearer when the
ring below has gone round.

Who may write   the worker that owns the wheel, nobody else.
"""

from libc.stdint cimport uint64_t

from ext.base.links cimport links, links_empty, links_init, links_remove

cdef enum:
    WHEEL_RINGS = 4
    WHEEL_SLOTS = 256

cdef struct timer:
    links link                  # inline: first, so that a link is its timer
    uint64_t due_tick           # millisecond at which it fires
    void (*on_fire)(timer* t, uint64_t now_ns) noexcept nogil
    void* owner                 # borrows: whoever embeds this timer

cdef struct timers:
    links slots[4][256]         # inline
    uint64_t used[4][4]         # which slots of a ring may hold timers, a bit each
    uint64_t tick               # the last millisecond that was handled

cdef void timers_init(timers* w, uint64_t now_ns) noexcept nogil
cdef void timer_set(timers* w, timer* t, uint64_t due_ns) noexcept nogil
cdef void timers_fire(timers* w, uint64_t now_ns) noexcept nogil
cdef int timers_wait_ms(timers* w, uint64_t now_ns) noexcept nogil


cdef inline void timer_init(timer* t, void (*on_fire)(timer*, uint64_t) noexcept nogil, void* owner) noexcept nogil:
    links_init(&t.link)
    t.due_tick = 0
    t.on_fire = on_fire
    t.owner = owner


cdef inline bint timer_is_set(const timer* t) noexcept nogil:
    return not links_empty(&t.link)


cdef inline void timer_drop(timer* t) noexcept nogil:
    links_remove(&t.link)
