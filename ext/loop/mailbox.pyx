# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""mailbox: bodies; the story is in mailbox.pxd.

Floor      loop: may cimport ext.base, nothing else.
"""

from libc.stdint cimport uint32_t, uint64_t
from posix.unistd cimport close, read, write

from ext.base.atomics cimport ptr_cas_release, ptr_load_acquire, ptr_swap_acq_rel
from ext.base.faults cimport NO_DESCRIPTORS
from ext.base.result cimport OK
from ext.loop.poller cimport watch

cdef extern from "sys/eventfd.h" nogil:
    int eventfd(unsigned int start, int flags)
    enum:
        EFD_NONBLOCK
        EFD_CLOEXEC


cdef void on_bell(watch* w, uint32_t ready) noexcept nogil:
    cdef uint64_t rings
    cdef mailbox* m = <mailbox*>w.owner
    read(w.fd, &rings, sizeof(rings))
    mailbox_read(m)


cdef int mailbox_open(mailbox* m, void* reader) noexcept nogil:
    """The caller adds `bell` to its poller."""
    m.head = NULL
    m.reader = reader
    m.bell.eager = False
    m.bell.owner = m
    m.bell.on_ready = on_bell
    m.bell.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
    return OK if m.bell.fd >= 0 else -NO_DESCRIPTORS


cdef void mailbox_close(mailbox* m) noexcept nogil:
    if m.bell.fd >= 0:
        close(m.bell.fd)
    m.bell.fd = -1


cdef void mailbox_post(mailbox* m, letter* l) noexcept nogil:
    """Any thread; the bell rings only for the first letter of an empty box."""
    cdef void* was = ptr_load_acquire(&m.head)
    cdef uint64_t one = 1
    while True:
        l.next = <letter*>was
        if ptr_cas_release(&m.head, &was, l):
            break
    if was is NULL:
        write(m.bell.fd, &one, sizeof(one))


cdef void mailbox_read(mailbox* m) noexcept nogil:
    """The owner only: reads what has come, oldest first."""
    cdef letter* newest = <letter*>ptr_swap_acq_rel(&m.head, NULL)
    cdef letter* oldest = NULL
    cdef letter* l
    while newest is not NULL:
        l = newest
        newest = l.next
        l.next = oldest
        oldest = l
    while oldest is not NULL:
        l = oldest
        oldest = l.next
        l.next = NULL
        l.on_read(l, m.reader)
