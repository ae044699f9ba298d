# cython: language_level=3
"""live: what outlives plans, by name: limiters and endpoints."""

from ext.admission.limiter cimport limiter
from ext.loop.mailbox cimport letter, mailbox
from ext.upstream.endpoint cimport endpoint

cdef struct knock:
    letter l                 # inline: first
    limiter* gate            # borrows: the limiter holds a share of itself while a knock is on its way
    int worker

cdef struct knocker:
    mailbox** mails          # borrows: of the workers
    knock knocks[1]          # inline: one for each worker


cdef class Live:
    """Limiters and endpoints of one engine; a new plan finds them by name.

    Ownership
        mails       owns    the array; the mailboxes are the workers'
        limiters    shares  one share of each
        endpoints   shares  one share of each
    """
    cdef int worker_count
    cdef mailbox** mails
    cdef dict limiters
    cdef dict endpoints

    cdef limiter* limiter_of(self, str name, long running_max, long waiting_max) except NULL
    cdef endpoint* endpoint_of(self, str host, int port, int idle_max) except NULL
    cdef void close_pools(self, int worker) noexcept
