# cython: language_level=3
"""journal: finished exchanges of one worker, in a ring that Python drains.

A record is a fixed part followed by its texts. It lies in one piece, so what
is left of a lap and too small for it is skipped. When the ring is full a
record is dropped and counted: a slow reader costs lines, never a request.

Memory. The ring is mapped, not touched: a page costs nothing until a record
lies on it. A reader that keeps up never lets it grow: the writer that finds
the ring empty starts over at its beginning, and what a burst has touched goes
back to the system then.

Who may write
    head, skip_from/to   the worker that owns it
    tail                 the one reader
Both only grow; a position is their value modulo the capacity. Each is stored
and the other one loaded with full order, so of a writer that finds the ring
drained and a reader that finds nothing more, at least one sees the other.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ext.base.atomics cimport u64_load_full, u64_load_relaxed
from ext.base.span cimport span
from ext.stats.shard cimport shard

cdef enum journal_stamp:
    STAMP_HEAD = 0           # request head complete
    STAMP_ADMITTED = 1       # a slot was taken
    STAMP_CONNECTED = 2      # an upstream connection was there
    STAMP_SENT = 3           # the request was written whole
    STAMP_ANSWERED = 4       # the final response head came
    STAMP_DONE = 5           # the last byte was written, or the exchange failed
    STAMPS = 6

cdef enum journal_flag:
    JOURNAL_TLS = 1
    JOURNAL_PROBE = 2
    JOURNAL_PROXIED = 4      # came through an activator
    JOURNAL_UPGRADED = 8
    JOURNAL_ABORTED = 16     # cut after its head
    JOURNAL_SAMPLED = 32     # spans are exported
    JOURNAL_RETRIED = 64

cdef enum journal_text:
    TEXT_METHOD = 0
    TEXT_TARGET = 1
    TEXT_HOST = 2
    TEXT_REMOTE = 3          # "address:port"
    TEXT_FIELDS = 4          # "name: value CRLF" of every request field
    TEXTS = 5

cdef enum:
    JOURNAL_KEPT_BYTES = 262144      # of the ring's beginning: a reader that keeps up stays within
    JOURNAL_BURST_BYTES = 1048576    # touched beyond this goes back to the system

cdef struct journal_entry:
    uint32_t bytes               # of the record with its texts, a multiple of 8; set by journal_begin
    uint32_t lens[5]             # journal_text; set by the caller of journal_begin, or by journal_write
    int64_t start_unix_ns        # first byte of the request head
    uint64_t stamps_ns[6]        # journal_stamp, since the start; 0 when it never came
    uint64_t request_bytes       # body, as relayed
    uint64_t response_bytes      # body, as relayed
    int64_t content_length       # of the request; -1 when it said none
    uint8_t trace_id[16]         # zero without a trace
    uint8_t parent_id[8]         # the caller's span
    uint8_t span_id[8]           # ours for the whole request
    uint8_t call_id[8]           # ours for the upstream call
    uint16_t status              # what the caller was told; 0 for nothing
    uint16_t fault               # ext.base.faults
    uint16_t flags               # journal_flag
    uint8_t version              # of the request, as ext.http.head has it
    uint8_t method               # method_id of ext.http.head

cdef struct journal:
    char* ring                   # owns: mapped; NULL when the journal is off
    uint64_t capacity            # bytes, a power of two
    uint64_t head                # where the next record goes
    uint64_t tail                # where the reader is
    uint64_t before              # head before the record that is being written
    uint64_t skip_from           # a reader that is here ...
    uint64_t skip_to             # ... moves on to here: the writer found the ring empty and started over
    uint64_t touched             # bytes of the ring that may lie on pages of ours
    uint64_t bell_bytes          # backlog at which the bell rings
    void (*ring_bell)(void* ringer) noexcept nogil    # NULL: the reader comes by itself
    void* ringer                 # borrows: until journal_close
    shard* counts                # borrows: the worker's; journal_records and journal_dropped

cdef int journal_open(
    journal* j, uint64_t capacity, shard* counts, uint64_t bell_bytes,
    void (*ring_bell)(void*) noexcept nogil, void* ringer,
) noexcept nogil
cdef void journal_close(journal* j) noexcept nogil
cdef char* journal_begin(journal* j, journal_entry* entry) noexcept nogil
cdef void journal_end(journal* j) noexcept nogil
cdef int journal_write(journal* j, journal_entry* entry, const span* texts) noexcept nogil
cdef list journal_drain(journal* j, size_t bytes_max)


cdef inline uint64_t journal_waiting(const journal* j) noexcept nogil:
    """Bytes between writer and reader, what is skipped included; for the reader."""
    cdef uint64_t tail = u64_load_relaxed(&j.tail)
    if tail == u64_load_full(&j.skip_from):
        tail = u64_load_full(&j.skip_to)
    return u64_load_full(&j.head) - tail
