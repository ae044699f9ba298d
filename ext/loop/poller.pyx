# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""poller: bodies; the story is in poller.pxd.

Floor      loop: may cimport ext.base, nothing else.
"""

from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc, free
from posix.unistd cimport close

from ext.base.faults cimport NO_DESCRIPTORS, NO_MEMORY
from ext.base.result cimport OK

cdef extern from "sys/epoll.h" nogil:
    ctypedef union epoll_data_t:
        void* ptr
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int fd, int op, int target, epoll_event* event)
    int epoll_wait(int fd, epoll_event* events, int most, int timeout_ms)
    enum:
        EPOLL_CLOEXEC
        EPOLL_CTL_ADD
        EPOLL_CTL_DEL
        EPOLLIN
        EPOLLOUT
        EPOLLERR
        EPOLLHUP
        EPOLLRDHUP
        EPOLLET


cdef int poller_open(poller* p) noexcept nogil:
    p.batch_count = 0
    p.batch = calloc(EVENTS_MAX, sizeof(epoll_event))
    if p.batch is NULL:
        return -NO_MEMORY
    p.fd = epoll_create1(EPOLL_CLOEXEC)
    if p.fd < 0:
        free(p.batch)
        p.batch = NULL
        return -NO_DESCRIPTORS
    return OK


cdef void poller_close(poller* p) noexcept nogil:
    if p.fd >= 0:
        close(p.fd)
    p.fd = -1
    free(p.batch)
    p.batch = NULL


cdef int poller_add(poller* p, watch* w) noexcept nogil:
    """Registers for every edge; closing the descriptor ends it."""
    cdef epoll_event event
    event.events = <uint32_t>(EPOLLIN | EPOLLOUT | EPOLLRDHUP) | <uint32_t>EPOLLET
    event.data.ptr = w
    if epoll_ctl(p.fd, EPOLL_CTL_ADD, w.fd, &event) < 0:
        return -NO_DESCRIPTORS
    return OK


cdef int poller_add_level(poller* p, watch* w) noexcept nogil:
    """Registers for input, told again each turn until it has been taken: for listeners."""
    cdef epoll_event event
    event.events = EPOLLIN
    event.data.ptr = w
    if epoll_ctl(p.fd, EPOLL_CTL_ADD, w.fd, &event) < 0:
        return -NO_DESCRIPTORS
    return OK


cdef void poller_remove(poller* p, watch* w) noexcept nogil:
    epoll_ctl(p.fd, EPOLL_CTL_DEL, w.fd, NULL)


cdef void poller_wait(poller* p, int timeout_ms) noexcept nogil:
    """Sleeps until an edge, a signal, or the timeout (-1: none), and keeps the batch."""
    cdef int n = epoll_wait(p.fd, <epoll_event*>p.batch, EVENTS_MAX, timeout_ms)
    p.batch_count = n if n > 0 else 0


cdef void poller_handle(poller* p) noexcept nogil:
    """Calls the watches of the batch, the eager ones that were closed first."""
    cdef epoll_event* events = <epoll_event*>p.batch
    cdef watch* w
    cdef int i
    cdef uint32_t closing = <uint32_t>(EPOLLRDHUP | EPOLLHUP | EPOLLERR)
    for i in range(p.batch_count):
        w = <watch*>events[i].data.ptr
        if events[i].events & closing and w.eager and w.on_ready is not NULL:
            events[i].data.ptr = NULL
            w.on_ready(w, events[i].events)
    for i in range(p.batch_count):
        w = <watch*>events[i].data.ptr
        if w is not NULL and w.on_ready is not NULL:
            w.on_ready(w, events[i].events)
    p.batch_count = 0
