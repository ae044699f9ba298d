# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""choice: bodies; the story is in choice.pxd.

Floor      proxy: may cimport every floor below.
"""

from ext.admission.limiter cimport limiter_cancel, limiter_grow, limiter_release, limiter_release_last
from ext.admission.ticket cimport PARKED
from ext.base.faults cimport CLOSED_UNREAD, ELSEWHERE, STREAM_REFUSED, fault_table
from ext.proxy.exchange cimport MOVES_MAX, exchange
from ext.upstream.member cimport member, member_give
from ext.upstream.picker cimport picker_pick
from ext.upstream.roster cimport roster_refuse


cdef bint choice_make(exchange* x) noexcept nogil:
    """Takes a slot of a member; False when none is free."""
    x.at = x.to.only
    if x.at is NULL:
        x.at = picker_pick(x.to.live, x.home.id, x.been, x.moves if x.moving else 0)
        x.moving = False
    return x.at is not NULL


cdef bint choice_keeps(const exchange* x) noexcept nogil:
    """The body must be kept: the connection may still be refused, and there are others."""
    return x.to is not NULL and x.to.only is NULL and not x.up.connected


cdef bint choice_may_move(const exchange* x, int fault) noexcept nogil:
    """The member has provably read nothing, and nothing of an answer was seen."""
    if x.to is NULL or x.to.only is not NULL or x.moves >= MOVES_MAX:
        return False
    if x.head_sent or x.interim or not x.replayable:
        return False
    return fault_table[fault].retry == ELSEWHERE or fault == STREAM_REFUSED or fault == CLOSED_UNREAD


cdef void choice_refused(exchange* x, int fault) noexcept nogil:
    """Sets the member aside when it cannot be reached, where somebody looks after it."""
    if x.at is not NULL and x.to.sets_aside and fault_table[fault].retry == ELSEWHERE:
        roster_refuse(x.to.live, x.at)


cdef bint give(exchange* x) noexcept nogil:
    """Gives the member's slot back; True when the gate loses a slot with it."""
    cdef member* m = x.at
    x.at = NULL
    if m is NULL or m == x.to.only:
        return False
    return member_give(m) and not x.to.live.unlimited


cdef void choice_leave(exchange* x) noexcept nogil:
    """Gives the member's slot back and keeps the gate's, to go elsewhere."""
    x.been[x.moves] = x.at.serial
    x.moves += 1
    x.moving = True
    if give(x) and x.to.gate is not NULL:
        limiter_grow(x.to.gate, -1)


cdef void choice_give_back(exchange* x) noexcept nogil:
    """The member's slot, then the gate's; or the place in the line. May move other exchanges of this worker on."""
    cdef bint with_capacity = give(x)
    if x.admitted:
        x.admitted = False
        if with_capacity:
            limiter_release_last(x.to.gate, &x.place)
        else:
            limiter_release(x.to.gate, &x.place)
    elif x.place.state == PARKED:
        limiter_cancel(x.to.gate, &x.place)
