# cython: language_level=3
"""live: what outlives plans, by name: targets with their rosters, and endpoints."""

from libc.stdint cimport uint64_t

from ext.admission.limiter cimport limiter
from ext.loop.mailbox cimport letter, mailbox
from ext.upstream.endpoint cimport endpoint
from ext.upstream.member cimport members
from ext.upstream.roster cimport roster, start
from ext.upstream.target cimport target

cdef struct knock:
    letter l                 # inline: first
    limiter* gate            # borrows: the limiter holds a share of itself while a knock is on its way
    int worker

cdef struct knocker:
    mailbox** mails          # borrows: of the workers
    knock knocks[1]          # inline: one for each worker

cdef struct event_list:
    letter* newest           # borrows: rosters and members, which hold a share for it

cdef struct endpoint_change:
    roster* of               # shares
    members* next            # borrows: the roster's from now on; NULL: the set stays
    endpoint** left          # owns the array, borrows what it holds: the Live's
    int left_count
    bint starts              # an instance is new, and its start is known
    start newest             # inline: likewise

cdef void live_adopt(const endpoint_change* change, int worker, uint64_t now_ns) noexcept nogil


cdef class Change:
    """A set of endpoints on its way to the workers.

    Ownership
        c        inline
        arriving (address of a member, capacity), borrows the roster's
        leaving  addresses of members that are in no set any more
    """
    cdef endpoint_change c
    cdef str name
    cdef list arriving
    cdef list leaving


cdef class Live:
    """Targets, rosters and endpoints of one engine; a new plan finds them by name.

    Ownership
        mails       owns    the array; the mailboxes are the workers'
        targets     shares  one share of each
        rosters     shares  one share of each
        endpoints   shares  one share of each
        left        shares  one share of each endpoint that no target has any more, until it is idle everywhere
        events      inline  what workers tell Python
    """
    cdef int worker_count
    cdef mailbox** mails
    cdef mailbox events
    cdef event_list unread
    cdef dict wishes
    cdef dict targets
    cdef dict rosters
    cdef dict members
    cdef dict versions
    cdef dict endpoints
    cdef dict uses
    cdef uint64_t serial
    cdef list left
    cdef dict told
    cdef dict active

    cdef target* target_of(self, str name) except NULL
    cdef target* target_for(self, str name, dict wish) except NULL
    cdef roster* roster_for(self, str name, dict wish) except NULL
    cdef limiter* limiter_for(self, long running_max, long waiting_max) except NULL
    cdef endpoint* endpoint_of(self, str host, int port, int idle_max) except NULL
    cdef Change prepare(self, str name, endpoints, bint unlimited)
    cdef members* arrange(self, Change change, dict wanted) except? NULL
    cdef void part(self, Change change, tuple key) except *
    cdef int finish(self, Change change) except -1
    cdef bint comes_and_goes(self, str name) except *
    cdef bint is_unlimited(self, str name) except *
    cdef void forget(self, str name) except *
    cdef void prune(self) noexcept
    cdef void read_events(self) except *
    cdef void release_events(self) noexcept
    cdef tuple read_event(self, letter* l)
    cdef void open_events(self) except *
    cdef tuple numbers(self, roster* r, uint64_t now_ns)
    cdef void close_pools(self, int worker) noexcept
