# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""roster: bodies; the story is in roster.pxd.

Floor      upstream: may cimport ext.base, stats, loop, admission, transport, mux.
Takes      sets from the control thread; refusals and requests from workers.
Never      waits, but roster_put_in for a worker that is marking the same member out.
"""

from libc.stdint cimport int64_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from ext.admission.limiter cimport NO_WORKER, limiter_drop, limiter_grow, limiter_offer, limiter_resize, limiter_share
from ext.admission.slots cimport CAPACITY_MAX, slots_capacity, slots_resized, slots_running
from ext.base.atomics cimport u64_add_full, u64_cas_full, u64_store_full, u64_swap_full
from ext.base.clock cimport clock_now_ns
from ext.loop.mailbox cimport mailbox_post
from ext.stats.busy cimport busy_init
from ext.upstream.member cimport (
    MEMBER_CLAIMED,
    MEMBER_OUT,
    MEMBER_REFUSED,
    MEMBER_TOLD,
    member_change,
    member_flagged,
    member_flags,
    member_free,
    members_new,
)

cdef extern from "sched.h" nogil:
    int sched_yield()

cdef enum:
    COMES = MEMBER_OUT | MEMBER_REFUSED   # what is taken off who is put in


cdef roster* roster_new(
    const char* name, size_t name_len, limiter* gate, int worker_count, mailbox* events,
    void (*on_wanted)(letter*, void*) noexcept nogil,
    void (*on_refused)(letter*, void*) noexcept nogil,
) noexcept nogil:
    """Without members; NULL without memory. One share; the gate, which may be NULL, is shared."""
    cdef roster* r = <roster*>calloc(1, sizeof(roster) + sizeof(stand) * <size_t>worker_count)
    cdef int i
    if r is NULL:
        return NULL
    r.name = <char*>malloc(name_len + 1)
    r.current = members_new(0, 0)
    if r.name is NULL or r.current is NULL:
        free(r.name)
        free(r.current)
        free(r)
        return NULL
    memcpy(r.name, name, name_len)
    r.name_len = name_len
    r.gate = limiter_share(gate) if gate is not NULL else NULL
    r.shares = 1
    r.events = events
    r.wanted.on_read = on_wanted
    r.wanted.owner = r
    r.on_refused = on_refused
    r.worker_count = worker_count
    for i in range(worker_count):
        r.stands[i].now = r.current
        r.stands[i].random = <uint64_t><uintptr_t>&r.stands[i] | 1
        busy_init(&r.stands[i].load, clock_now_ns())
    return r


cdef roster* roster_share(roster* r) noexcept nogil:
    u64_add_full(&r.shares, 1)
    return r


cdef void roster_drop(roster* r) noexcept nogil:
    """The last share frees; nothing runs then, so the members go with it."""
    cdef int i
    if u64_add_full(&r.shares, -1) != 1:
        return
    for i in range(r.current.count):
        member_free(r.current.all[i])
    free(r.current)
    if r.gate is not NULL:
        limiter_drop(r.gate)
    free(r.name)
    free(r)


cdef void roster_adopt(roster* r, int worker, members* set) noexcept nogil:
    """The worker itself, or anybody before it runs."""
    r.stands[worker].now = set


# ── coming and going ──────────────────────────────────────────────────────

cdef void agree(roster* r) noexcept nogil:
    """Without limits: the gate is open if, and only if, a member is in. The last one who looks is right."""
    cdef bint is_open
    while r.gate is not NULL:
        is_open = u64_load_full(&r.usable) > 0
        limiter_resize(r.gate, NO_WORKER, CAPACITY_MAX if is_open else 0)
        if is_open == (u64_load_full(&r.usable) > 0):
            return


cdef void settle(roster* r) noexcept nogil:
    """Slots have come or gone: whoever waits and fits now may go. Nothing is claimed by the caller any more."""
    if r.unlimited:
        agree(r)
    elif r.gate is not NULL:
        limiter_offer(r.gate, NO_WORKER)


cdef void shift(roster* r, int64_t change) noexcept nogil:
    """With limits: the gate follows a member's slots."""
    if r.gate is not NULL and not r.unlimited:
        limiter_grow(r.gate, change)


cdef void roster_put_in(roster* r, member* m, int64_t capacity) noexcept nogil:
    """Well again, or new, or with another capacity; the control thread only, when all workers know the member.

    After a capacity was lowered below what runs there, the gate holds back as
    many requests elsewhere until enough of these have ended.
    """
    cdef uint64_t word
    cdef int64_t before
    while not member_change(m, 0, MEMBER_CLAIMED, MEMBER_CLAIMED):
        sched_yield()
    word = u64_load_full(&m.word)
    if member_flags(word) & MEMBER_OUT:
        while not u64_cas_full(&m.word, &word, slots_resized(member_flagged(word, COMES, 0), capacity)):
            pass
        u64_add_full(&r.usable, 1)
        shift(r, capacity - slots_running(word))
    else:
        before = slots_capacity(word)
        if capacity < before:
            shift(r, capacity - before)
        while not u64_cas_full(&m.word, &word, slots_resized(word, capacity)):
            pass
        if capacity > before:
            shift(r, capacity - before)
    if not member_change(m, MEMBER_CLAIMED, 0, MEMBER_REFUSED):
        member_change(m, MEMBER_CLAIMED | MEMBER_REFUSED, 0, 0)
        roster_refuse(r, m)
    settle(r)


cdef bint roster_take_out(roster* r, member* m) noexcept nogil:
    """No new request goes there; False when it was out already, or somebody else is at it."""
    cdef uint64_t word
    cdef int64_t taken, now
    if not member_change(m, 0, MEMBER_CLAIMED, MEMBER_CLAIMED | MEMBER_OUT):
        return False
    u64_add_full(&r.usable, -1)
    if r.unlimited:
        agree(r)
    word = u64_load_full(&m.word)
    taken = slots_capacity(word) - slots_running(word)
    shift(r, -taken)
    while not u64_cas_full(&m.word, &word, member_flagged(word, MEMBER_CLAIMED, MEMBER_OUT)):
        now = slots_capacity(word) - slots_running(word)
        shift(r, taken - now)
        taken = now
    settle(r)
    return True


# ── events ────────────────────────────────────────────────────────────────

cdef void roster_refuse(roster* r, member* m) noexcept nogil:
    """A connection was refused: the member is out until Python says otherwise. The caller holds a slot of it."""
    while not roster_take_out(r, m):
        # Out already; or claimed, and then whoever has claimed it hears of this.
        if note(m):
            return
    if member_change(m, 0, MEMBER_TOLD, MEMBER_TOLD):
        m.refused.on_read = r.on_refused
        m.refused.owner = roster_share(r)
        mailbox_post(r.events, &m.refused)


cdef bint note(member* m) noexcept nogil:
    """Leaves a word that it refused; False when nobody has claimed it any more, and it is in."""
    cdef uint64_t word = u64_load_full(&m.word)
    while member_flags(word) & (MEMBER_CLAIMED | MEMBER_OUT) == MEMBER_CLAIMED:
        if u64_cas_full(&m.word, &word, member_flagged(word, 0, MEMBER_REFUSED)):
            return True
    return member_flags(word) & MEMBER_OUT


cdef bint roster_told_refused(roster* r, member* m) noexcept nogil:
    """Python has read the event; True when the member is still out."""
    cdef bint is_out = member_flags(u64_load_full(&m.word)) & MEMBER_OUT
    member_change(m, MEMBER_TOLD, 0, 0)
    roster_drop(r)
    return is_out


cdef void roster_want(roster* r, uint64_t* once) noexcept nogil:
    """Tells Python, if nobody has since `once` was cleared."""
    cdef uint64_t not_yet = 0
    if not u64_cas_full(once, &not_yet, 1):
        return
    if u64_swap_full(&r.posted, 1) == 0:
        roster_share(r)
        mailbox_post(r.events, &r.wanted)


cdef void roster_told(roster* r) noexcept nogil:
    """Python has read the event, and looks at the numbers afterwards; the roster may be gone."""
    u64_store_full(&r.posted, 0)
    roster_drop(r)
