# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""loop: timers on a test's clock, a poller on a test's descriptors, a mailbox with real senders.

Floor      testing: may cimport everything; imported only by tests.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from ext.base.clock cimport NS_PER_MS
from ext.loop.mailbox cimport letter, mailbox, mailbox_close, mailbox_open, mailbox_post
from ext.loop.poller cimport (
    poller, poller_add, poller_add_level, poller_close, poller_handle, poller_open, poller_wait, watch,
)
from ext.loop.timers cimport (
    timer, timer_drop, timer_init, timer_is_set, timer_set, timers, timers_fire, timers_init, timers_wait_ms,
)

cdef extern from "<pthread.h>" nogil:
    ctypedef unsigned long pthread_t
    int pthread_create(pthread_t* id, void* attributes, void* (*run)(void*) noexcept nogil, void* argument)
    int pthread_join(pthread_t id, void** result)

cdef enum:
    SENDERS_MAX = 16
    WAIT_MS = 1000


cdef void on_fire(timer* t, uint64_t now_ns) noexcept nogil:
    with gil:
        (<Alarm>t.owner).fire()


cdef class Alarm:
    """One timer; `reaction(alarm)` runs when it fires."""
    cdef timer c
    cdef Wheel wheel
    cdef readonly object name
    cdef public object reaction

    def __cinit__(self, Wheel wheel, name, reaction=None):
        timer_init(&self.c, on_fire, <void*>self)
        self.wheel = wheel
        wheel.alarms.append(self)   # the wheel borrows its timers
        self.name = name
        self.reaction = reaction

    cdef fire(self):
        self.wheel.fired.append(self.name)
        if self.reaction is not None:
            self.reaction(self)

    def set(self, uint64_t due_ns):
        timer_set(&self.wheel.c, &self.c, due_ns)

    def drop(self):
        timer_drop(&self.c)

    @property
    def is_set(self):
        return bool(timer_is_set(&self.c))


cdef class Wheel:
    """A timer wheel that believes what the test says the time is."""
    cdef timers c
    cdef readonly list fired
    cdef list alarms

    def __cinit__(self, uint64_t now_ns=0):
        timers_init(&self.c, now_ns)
        self.alarms = []
        self.fired = []

    def advance(self, uint64_t now_ns):
        """The names of the alarms that this fires, in their order."""
        self.fired = []
        timers_fire(&self.c, now_ns)
        return self.fired

    def wait_ms(self, uint64_t now_ns):
        return timers_wait_ms(&self.c, now_ns)


cdef void on_ready(watch* w, uint32_t ready) noexcept nogil:
    with gil:
        (<Eyes>w.owner).saw(w.fd, ready)


cdef class Eyes:
    """A poller; `seen` holds (descriptor, events) in the order in which they were told."""
    cdef poller c
    cdef watch watches[64]
    cdef int count
    cdef readonly list seen
    cdef public object reaction

    def __cinit__(self):
        self.seen = []
        if poller_open(&self.c) < 0:
            raise OSError("no descriptor is left")

    def watch(self, int fd, bint eager=False, bint level=False):
        cdef watch* w = &self.watches[self.count]
        self.count += 1
        w.fd = fd
        w.eager = eager
        w.on_ready = on_ready
        w.owner = <void*>self
        if level:
            poller_add_level(&self.c, w)
        else:
            poller_add(&self.c, w)

    def forget(self, int fd):
        """As a connection does that closes inside a batch."""
        cdef int i
        for i in range(self.count):
            if self.watches[i].fd == fd:
                self.watches[i].on_ready = NULL

    cdef saw(self, int fd, int ready):
        self.seen.append((fd, ready))
        if self.reaction is not None:
            self.reaction(fd)

    def turn(self, int timeout_ms=0):
        """What one turn of the loop told."""
        self.seen = []
        poller_wait(&self.c, timeout_ms)
        poller_handle(&self.c)
        return self.seen

    def __dealloc__(self):
        poller_close(&self.c)


cdef struct numbered:
    letter l             # inline: first
    int sender
    int number

cdef struct sender:
    pthread_t id
    mailbox* box         # borrows: of the post
    numbered* letters    # owns
    int count

cdef struct post:
    mailbox box          # inline
    poller poll          # inline
    sender senders[SENDERS_MAX]
    int next_number[SENDERS_MAX]   # of each sender: what must come next
    long read
    long out_of_order


cdef void on_letter(letter* l, void* reader) noexcept nogil:
    cdef numbered* n = <numbered*>l
    cdef post* p = <post*>reader
    if p.next_number[n.sender] != n.number:
        p.out_of_order += 1
    p.next_number[n.sender] = n.number + 1
    p.read += 1


cdef void* send_all(void* argument) noexcept nogil:
    cdef sender* s = <sender*>argument
    cdef int i
    for i in range(s.count):
        mailbox_post(s.box, &s.letters[i].l)
    return NULL


def stress(int senders, int letters):
    """So many threads post so many letters each, while this one reads: (read, out of order, waits that ran out).

    A bell that rings for a letter which has been read by then is no wait: it comes of a post that was under way.
    """
    cdef post* p = <post*>calloc(1, sizeof(post))
    cdef sender* s
    cdef int i, k
    cdef long idle = 0
    cdef bint rang
    if p is NULL or senders > SENDERS_MAX:
        raise MemoryError()
    poller_open(&p.poll)
    mailbox_open(&p.box, p)
    poller_add(&p.poll, &p.box.bell)
    for i in range(senders):
        s = &p.senders[i]
        s.box = &p.box
        s.count = letters
        s.letters = <numbered*>calloc(letters, sizeof(numbered))
        for k in range(letters):
            s.letters[k].l.on_read = on_letter
            s.letters[k].sender = i
            s.letters[k].number = k
    for i in range(senders):
        pthread_create(&p.senders[i].id, NULL, send_all, &p.senders[i])
    with nogil:
        while p.read < <long>senders * letters and idle < 10:
            poller_wait(&p.poll, WAIT_MS)
            rang = p.poll.batch_count > 0
            poller_handle(&p.poll)
            if not rang:
                idle += 1
        for i in range(senders):
            pthread_join(p.senders[i].id, NULL)
    result = (p.read, p.out_of_order, idle)
    mailbox_close(&p.box)
    poller_close(&p.poll)
    for i in range(senders):
        free(p.senders[i].letters)
    free(p)
    return result


NS_OF_MS = NS_PER_MS
