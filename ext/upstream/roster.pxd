# cython: language_level=3
"""roster: who serves a target now; its endpoints as they come and go, its gate, its numbers.

Found by name, it outlives plans; targets share it. The members stand in an
immutable set that the control thread replaces: every worker has a pointer of
its own to the set that it uses, and moves it on when it reads a letter. A set
is freed when all workers have let go of it, a member when its last request has
ended.

The gate's capacity, when members have one:

    capacity of the members that are in  +  requests that run on members that are out

so that never more are admitted than find a slot, and a slot that is free
anywhere is never left idle while a request waits. Hence the order:

put in      the member first, then the gate grows by capacity - running
take out    claimed; the gate shrinks by capacity - running; then the member is
            marked out with one swap that holds only if `running` is still what
            was reckoned with, else the difference is made up and it is tried again
give back   the member's slot first, then the gate's; a slot of a member that is
            out is taken away from the gate with its capacity

A worker may still use an older set than the gate knows: so new members are put
in only when all workers have the set they are in, and leave before it is sent.
A ticket that loses a race all the same goes back to the front of its line.

A member that refuses a connection is taken out by the worker that found it so,
and Python is told. It comes back when Python says that it is well.

Without limits (`unlimited`) the gate is open while a member is in, and shut
else: CAPACITY_MAX or 0, set again until it agrees with `usable`. A roster
whose callers do not wait has no gate at all.

Events. WANTED is told once when a roster wakes (`awake`: the first request
since roster_rest found it idle) and once when a request waits and no member is
in (`hungry`, until the set changes); REFUSED once for each member. The letters
lie in the roster and its members; one that is on its way holds a share.

Who may write
    word of a member, usable, awake, hungry, posted, turn   any thread, as atomics.pxd names it
    stands[i]     worker i; `load` is made to be read by others
    current       the control thread
    the rest      roster_new
"""

from libc.stdint cimport int64_t, uint64_t

from ext.admission.limiter cimport limiter
from ext.base.atomics cimport u64_load_full
from ext.loop.mailbox cimport letter, mailbox
from ext.stats.busy cimport busy
from ext.upstream.member cimport member, members

cdef enum:
    START_PHASES = 4         # of an instance: decided, created, started, ready

cdef struct start:
    uint64_t told_ns         # when the worker heard that an instance is ready; 0: never
    uint64_t phases_ns[4]    # how long each phase of its start took

cdef struct stand:
    members* now             # borrows: the roster's, until the worker has adopted another
    uint64_t random          # state of the generator of choices
    uint64_t refused         # requests that found the waiting room full
    busy load                # inline: requests that run or wait, on this worker
    start newest             # inline: the last start that we were told of
    uint64_t apart[8]        # what one worker writes is not beside what another does

cdef struct roster:
    letter wanted            # inline: first; the event
    uint64_t shares
    limiter* gate            # shares; NULL: nobody waits here
    mailbox* events          # borrows: the engine's, for Python
    void (*on_refused)(letter* l, void* reader) noexcept nogil
    uint64_t posted          # the event is on its way
    uint64_t awake
    uint64_t hungry
    uint64_t usable          # members that are in
    bint unlimited           # members have no capacity of their own; said once, before there are any
    int worker_count
    members* current         # owns: the newest set
    char* name               # owns
    size_t name_len
    uint64_t apart[7]        # what every choice writes is not beside what every request reads
    uint64_t turn            # where the next round begins
    stand stands[1]          # inline: by worker

cdef roster* roster_new(
    const char* name, size_t name_len, limiter* gate, int worker_count, mailbox* events,
    void (*on_wanted)(letter*, void*) noexcept nogil,
    void (*on_refused)(letter*, void*) noexcept nogil,
) noexcept nogil
cdef roster* roster_share(roster* r) noexcept nogil
cdef void roster_drop(roster* r) noexcept nogil
cdef void roster_adopt(roster* r, int worker, members* set) noexcept nogil
cdef void roster_put_in(roster* r, member* m, int64_t capacity) noexcept nogil
cdef bint roster_take_out(roster* r, member* m) noexcept nogil
cdef void roster_refuse(roster* r, member* m) noexcept nogil
cdef void roster_want(roster* r, uint64_t* once) noexcept nogil
cdef void roster_told(roster* r) noexcept nogil
cdef bint roster_told_refused(roster* r, member* m) noexcept nogil


cdef inline void roster_wake(roster* r) noexcept nogil:
    """A request has come; tells Python if it is the first."""
    if not u64_load_full(&r.awake):
        roster_want(r, &r.awake)


cdef inline void roster_hunger(roster* r) noexcept nogil:
    """A request waits; tells Python if there is nobody to serve it."""
    if u64_load_full(&r.usable) == 0 and not u64_load_full(&r.hungry):
        roster_want(r, &r.hungry)
