# cython: language_level=3
"""choice: at which endpoint an exchange runs, and where else when that one fails.

An exchange that was admitted takes a slot of a member at once. If there is
none, it has lost a race, or endpoints have left: it goes back to the front of
its line, or, where nobody waits, is told so.

A member that refuses the connection is set aside, if the target holds: then
somebody looks after its endpoints. The exchange gives that
member's slot back, keeps the gate's, and goes to a member where it has not
been, MOVES_MAX times at most, as long as every byte that was let go is still
at hand.
"""

from ext.proxy.exchange cimport exchange

cdef bint choice_make(exchange* x) noexcept nogil
cdef bint choice_may_move(const exchange* x, int fault) noexcept nogil
cdef void choice_refused(exchange* x, int fault) noexcept nogil
cdef void choice_leave(exchange* x) noexcept nogil
cdef bint choice_keeps(const exchange* x) noexcept nogil
cdef void choice_give_back(exchange* x) noexcept nogil
