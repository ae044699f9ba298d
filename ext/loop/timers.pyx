# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""timers: bodies; the story is in timers.pxd.

Floor      loop: may cimport ext.base, nothing else.
"""

from libc.stdint cimport uint64_t

from ext.base.clock cimport NS_PER_MS
from ext.base.links cimport links, links_append, links_empty, links_init, links_move_all, links_remove

cdef extern from * nogil:
    int __builtin_ctzll(unsigned long long bits)


cdef void timers_init(timers* w, uint64_t now_ns) noexcept nogil:
    cdef int ring, slot
    w.tick = now_ns // NS_PER_MS
    for ring in range(WHEEL_RINGS):
        for slot in range(WHEEL_SLOTS):
            links_init(&w.slots[ring][slot])
        for slot in range(4):
            w.used[ring][slot] = 0


cdef void place(timers* w, timer* t) noexcept nogil:
    """Into the nearest ring that reaches its tick."""
    cdef uint64_t ahead = t.due_tick - w.tick
    cdef int ring = 0
    cdef int slot
    while ring < WHEEL_RINGS - 1 and ahead >> (8 * (ring + 1)):
        ring += 1
    if ahead >> 32:
        t.due_tick = w.tick + 0xffffffffULL
    slot = <int>((t.due_tick >> (8 * ring)) & 255)
    links_append(&w.slots[ring][slot], &t.link)
    w.used[ring][slot >> 6] |= (<uint64_t>1) << (slot & 63)


cdef void timer_set(timers* w, timer* t, uint64_t due_ns) noexcept nogil:
    """Fires once, in the first millisecond that is not before `due_ns`; replaces an earlier setting."""
    links_remove(&t.link)
    t.due_tick = (due_ns + NS_PER_MS - 1) // NS_PER_MS
    if t.due_tick <= w.tick:
        t.due_tick = w.tick + 1
    place(w, t)


cdef void cascade(timers* w, int ring) noexcept nogil:
    """The slot of a far ring has come: its timers move into nearer rings."""
    cdef int slot = <int>((w.tick >> (8 * ring)) & 255)
    cdef links moving
    cdef links* l
    links_init(&moving)
    links_move_all(&w.slots[ring][slot], &moving)
    w.used[ring][slot >> 6] &= ~((<uint64_t>1) << (slot & 63))
    while not links_empty(&moving):
        l = moving.next
        links_remove(l)
        place(w, <timer*>l)


cdef void timers_fire(timers* w, uint64_t now_ns) noexcept nogil:
    """Calls every timer that is due; a call may set and drop timers, its own included."""
    cdef uint64_t now_tick = now_ns // NS_PER_MS
    cdef links due
    cdef links* l
    cdef int slot, ring, wait
    while w.tick < now_tick:
        wait = quiet_ticks(w)
        if w.tick + <uint64_t>wait > now_tick:
            w.tick = now_tick
            return
        w.tick += <uint64_t>wait
        ring = 1
        while ring < WHEEL_RINGS and (w.tick >> (8 * (ring - 1))) & 255 == 0:
            cascade(w, ring)
            ring += 1
        slot = <int>(w.tick & 255)
        links_init(&due)
        links_move_all(&w.slots[0][slot], &due)
        w.used[0][slot >> 6] &= ~((<uint64_t>1) << (slot & 63))
        while not links_empty(&due):
            l = due.next
            links_remove(l)
            (<timer*>l).on_fire(<timer*>l, now_ns)


cdef int next_used(const uint64_t* used, int after) noexcept nogil:
    """First used slot above `after` and below 256; 256 when there is none."""
    cdef int slot = after + 1
    cdef uint64_t bits
    while slot < WHEEL_SLOTS:
        bits = used[slot >> 6] >> (slot & 63)
        if bits:
            return slot + __builtin_ctzll(bits)
        slot = (slot | 63) + 1
    return WHEEL_SLOTS


cdef int quiet_ticks(timers* w) noexcept nogil:
    """Ticks until something may be due: the next used slot of the first ring, or its turn (at least 1)."""
    cdef int at = <int>(w.tick & 255)
    return next_used(&w.used[0][0], at) - at


cdef int timers_wait_ms(timers* w, uint64_t now_ns) noexcept nogil:
    """How long the loop may sleep, in ms; -1 when no timer is set."""
    cdef uint64_t wake_tick = w.tick
    cdef uint64_t now_tick = now_ns // NS_PER_MS
    cdef int ring, at, slot
    for ring in range(WHEEL_RINGS):
        at = <int>((w.tick >> (8 * ring)) & 255)
        slot = next_used(&w.used[ring][0], at)
        if slot == WHEEL_SLOTS:
            slot = next_used(&w.used[ring][0], -1)
            if slot == WHEEL_SLOTS:
                continue
            slot += WHEEL_SLOTS
        wake_tick = ((w.tick >> (8 * ring)) + <uint64_t>(slot - at)) << (8 * ring)
        # A nearer ring may hold slots of its next round, which begins no later.
        if slot > WHEEL_SLOTS and ring + 1 < WHEEL_RINGS:
            wake_tick = ((w.tick >> (8 * (ring + 1))) + 1) << (8 * (ring + 1))
        if wake_tick <= now_tick:
            return 0
        return <int>(wake_tick - now_tick) if wake_tick - now_tick < 3600000 else 3600000
    return -1
