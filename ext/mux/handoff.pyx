# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""handoff: bodies; the story is in handoff.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
Takes      a request head; its body is not looked at.
Gives      one answer, whole.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset
from posix.unistd cimport close, write

from ext.base.atomics cimport u64_add_full
from ext.base.debug cimport LIVE_DOWN, LIVE_STREAM, LIVE_UP
from ext.base.faults cimport HANDOFF_LOST, NO_DESCRIPTORS, NO_MEMORY
from ext.base.result cimport OK
from ext.base.span cimport span_of
from ext.http.head cimport BODY_LENGTH, HTTP_1_1, field, head
from ext.http.names cimport name_lookup
from ext.loop.mailbox cimport letter, mailbox_post, mailbox_read
from ext.mux.context cimport mux_of
from ext.mux.stream cimport stream, stream_ops

cdef extern from "<pthread.h>" nogil:
    int pthread_mutex_init(pthread_mutex_t* lock, void* attributes)
    int pthread_mutex_lock(pthread_mutex_t* lock)
    int pthread_mutex_unlock(pthread_mutex_t* lock)
    int pthread_mutex_destroy(pthread_mutex_t* lock)

cdef extern from "<sys/eventfd.h>" nogil:
    int eventfd(unsigned int start, int flags)
    enum:
        EFD_NONBLOCK
        EFD_CLOEXEC


cdef int handoff_open_queue(handoff_queue* q) noexcept nogil:
    memset(q, 0, sizeof(handoff_queue))
    pthread_mutex_init(&q.lock, NULL)
    q.bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
    return OK if q.bell >= 0 else -NO_DESCRIPTORS


cdef void handoff_end(handoff_queue* q) noexcept nogil:
    """After the workers have been joined, with the GIL: drops the calls that nobody took.

    What lies in a worker's mail already is for the caller to read.
    """
    cdef handoff_call* c = handoff_take(q)
    q.ended = True
    while c is not NULL:
        call_drop(c)
        c = handoff_take(q)


cdef void handoff_close_queue(handoff_queue* q) noexcept nogil:
    """After the workers have ended and the last call was answered."""
    handoff_end(q)
    close(q.bell)
    pthread_mutex_destroy(&q.lock)


cdef void call_drop(handoff_call* c) noexcept nogil:
    if u64_add_full(&c.shares, <uint64_t>-1) != 1:
        return
    LIVE_DOWN(LIVE_STREAM)
    free(c.text)
    free(c.answer_fields)
    free(c.answer_body)
    free(c)


# ── the worker's side ─────────────────────────────────────────────────────

cdef stream* handoff_open(handoff_queue* q, worker* w, int listener) noexcept nogil:
    """NULL without memory."""
    cdef handoff_call* c = <handoff_call*>calloc(1, sizeof(handoff_call))
    if c is NULL:
        return NULL
    LIVE_UP(LIVE_STREAM)
    c.s.ops = &OPS
    c.s.home = w
    c.s.version = HTTP_1_1
    c.s.connected = True
    c.shares = 1
    c.home = w
    c.queue = q
    c.listener = listener
    c.answered.on_read = on_answered
    c.answered.owner = c
    return &c.s


cdef size_t lines_size(const head* h) noexcept nogil:
    cdef size_t n = 0
    cdef int i
    for i in range(h.field_count):
        n += h.fields[i].name.len + h.fields[i].value.len + 4
    return n


cdef char* copy(char* to, const char* at, size_t n) noexcept nogil:
    if n:
        memcpy(to, at, n)
    return to + n


cdef int send_head(stream* s, const head* h, bint last) noexcept nogil:
    """Copies what Python may want to know, and puts the call into the queue."""
    cdef handoff_call* c = <handoff_call*>s
    cdef handoff_queue* q = c.queue
    cdef char* to
    cdef uint64_t one = 1
    cdef bint full
    cdef int i
    c.method_len = h.method_text.len
    c.target_len = h.target.len
    c.fields_len = lines_size(h)
    c.text = <char*>malloc(c.method_len + c.target_len + c.fields_len + 1)
    if c.text is NULL:
        return -NO_MEMORY
    to = copy(c.text, h.method_text.at, c.method_len)
    to = copy(to, h.target.at, c.target_len)
    for i in range(h.field_count):
        to = copy(to, h.fields[i].name.at, h.fields[i].name.len)
        to = copy(to, b": ", 2)
        to = copy(to, h.fields[i].value.at, h.fields[i].value.len)
        to = copy(to, b"\r\n", 2)
    pthread_mutex_lock(&q.lock)
    full = q.count >= CALLS_MAX
    if not full:
        u64_add_full(&c.shares, 1)
        if q.last is NULL:
            q.first = c
        else:
            q.last.next = c
        q.last = c
        q.count += 1
    pthread_mutex_unlock(&q.lock)
    if full:
        return -HANDOFF_LOST
    write(q.bell, &one, sizeof(one))
    return OK


cdef void on_answered(letter* l, void* reader) noexcept nogil:
    """In the worker: shows the answer, unless the exchange has let go by now."""
    cdef handoff_call* c = <handoff_call*>l.owner
    cdef field* table = mux_of(c.home).fields
    cdef int fields_max = mux_of(c.home).response_limits.fields_max
    cdef head h
    if c.s.owner is not NULL:
        memset(&h, 0, sizeof(head))
        h.version = HTTP_1_1
        h.status = c.answer_status
        h.framing = BODY_LENGTH
        h.length = <int64_t>c.answer_body_len
        h.keep_alive = True
        h.fields = table
        split_fields(c, &h, fields_max)
        c.s.events.on_head(c.s.owner, &h, c.answer_body_len == 0)
        if c.s.owner is not NULL and c.answer_body_len:
            c.s.events.on_body(c.s.owner, c.answer_body, c.answer_body_len, True)
    call_drop(c)


cdef void split_fields(handoff_call* c, head* h, int fields_max) noexcept nogil:
    """Lines of our own making: "name: value CRLF"."""
    cdef char* at = c.answer_fields
    cdef char* end = at + c.answer_fields_len
    cdef char* colon
    cdef char* line_end
    cdef field* f
    while at < end and h.field_count < fields_max:
        colon = at
        while colon[0] != c':':
            colon += 1
        line_end = colon
        while line_end[0] != c'\r':
            line_end += 1
        f = &h.fields[h.field_count]
        f.name = span_of(at, <size_t>(colon - at))
        f.value = span_of(colon + 2, <size_t>(line_end - colon - 2))
        f.raw_len = 0
        f.flags = 0
        f.id = name_lookup(f.name.at, f.name.len)
        h.seen |= <uint64_t>1 << f.id
        h.field_count += 1
        at = line_end + 2


cdef int send_body(stream* s, const char* at, size_t n, bint last) noexcept nogil:
    return OK


cdef int send_trailers(stream* s, const head* h) noexcept nogil:
    return OK


cdef int turn_raw(stream* s) noexcept nogil:
    return OK


cdef void want_body(stream* s, bint wanted) noexcept nogil:
    pass


cdef void flush(stream* s) noexcept nogil:
    pass


cdef void reset(stream* s, int fault) noexcept nogil:
    release(s)


cdef void release(stream* s) noexcept nogil:
    s.owner = NULL
    call_drop(<handoff_call*>s)


cdef stream_ops OPS
OPS.send_head = send_head
OPS.send_body = send_body
OPS.send_trailers = send_trailers
OPS.turn_raw = turn_raw
OPS.want_body = want_body
OPS.flush = flush
OPS.reset = reset
OPS.release = release


# ── Python's side ─────────────────────────────────────────────────────────

cdef handoff_call* handoff_take(handoff_queue* q) noexcept nogil:
    """The oldest call, with Python's share of it; NULL when there is none."""
    cdef handoff_call* c
    pthread_mutex_lock(&q.lock)
    c = q.first
    if c is not NULL:
        q.first = c.next
        if q.first is NULL:
            q.last = NULL
        q.count -= 1
        c.next = NULL
    pthread_mutex_unlock(&q.lock)
    return c


cdef void handoff_answer(
    handoff_call* c, int status, const char* fields, size_t fields_n, const char* body, size_t body_n
) noexcept nogil:
    """Once for each call that was taken, with the GIL; Python's share goes to the letter."""
    cdef worker* home = c.home
    cdef bint ended = c.queue.ended
    c.answer_status = status
    c.answer_fields = <char*>malloc(fields_n + 1)
    c.answer_body = <char*>malloc(body_n + 1)
    if c.answer_fields is not NULL and c.answer_body is not NULL:
        memcpy(c.answer_fields, fields, fields_n)
        memcpy(c.answer_body, body, body_n)
        c.answer_fields_len = fields_n
        c.answer_body_len = body_n
    else:
        c.answer_status = 500
    mailbox_post(&home.mail, &c.answered)
    if ended:
        mailbox_read(&home.mail)
