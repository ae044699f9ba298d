# cython: language_level=3
"""handoff: a client stream whose far end is Python.

A request for the control thread is copied into a call, which waits in a
bounded queue until Engine.wait takes it. The answer comes back as a letter to
the worker. Probes and scrapes are few, so a mutex guards the queue.

A call may outlive the workers. Once they have been joined nobody reads their
mail, so from handoff_end on whoever answers reads the letter too. Python
answers and ends with the GIL held, so no two of these meet.

Who may write
    queue.first..    under queue.lock
    queue.ended      Python, with the GIL
    call.shares      by add: the worker's side and Python's hold one each
    call.answer_*    Python, before it posts the letter; the worker afterwards
    call.s           the worker
"""

from libc.stdint cimport uint64_t

from ext.loop.mailbox cimport letter
from ext.mux.stream cimport stream
from ext.transport.worker cimport worker

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass

cdef enum:
    CALLS_MAX = 1024         # that wait for Python: more is a fault, not memory

cdef struct handoff_call:
    stream s                 # inline: first
    letter answered          # inline
    worker* home             # borrows
    handoff_queue* queue     # borrows
    handoff_call* next       # borrows: the next one in the queue
    uint64_t shares
    int listener             # by which the request came
    char* text               # owns: method, target, fields, peer
    size_t method_len
    size_t target_len
    size_t fields_len        # lines "name: value CRLF"
    size_t peer_len
    int answer_status
    char* answer_fields      # owns: lines "name: value CRLF"
    size_t answer_fields_len
    char* answer_body        # owns
    size_t answer_body_len

cdef struct handoff_queue:
    pthread_mutex_t lock     # inline
    handoff_call* first      # shares: Python's side of each
    handoff_call* last       # borrows
    int count
    int bell                 # eventfd, owned: rings when a call has come
    bint ended               # the workers have been joined

cdef int handoff_open_queue(handoff_queue* q) noexcept nogil
cdef void handoff_end(handoff_queue* q) noexcept nogil
cdef void handoff_close_queue(handoff_queue* q) noexcept nogil
cdef stream* handoff_open(handoff_queue* q, worker* w, int listener) noexcept nogil
cdef handoff_call* handoff_take(handoff_queue* q) noexcept nogil
cdef void handoff_answer(
    handoff_call* c, int status, const char* fields, size_t fields_n, const char* body, size_t body_n
) noexcept nogil
