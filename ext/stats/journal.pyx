# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""journal: bodies; the story is in journal.pxd.

Floor      stats: may cimport ext.base, nothing else.
Takes      one record at the end of each exchange.
Gives      tuples, in the order in which the worker wrote them.
Never      waits for its reader.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset
from posix.mman cimport MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_READ, PROT_WRITE, mmap, munmap

from ext.base.atomics cimport u64_load_full, u64_load_relaxed, u64_store_full
from ext.base.faults cimport NO_MEMORY
from ext.base.result cimport DONE, OK
from ext.base.span cimport span

from ext.stats.shard cimport counter_add, shard

cdef extern from "sys/mman.h" nogil:
    int madvise(void* at, size_t n, int advice)
    enum:
        MADV_DONTNEED
        MAP_NORESERVE

JOURNAL_FIELDS = (
    "start_unix_ns", "stamps_ns", "status", "fault", "flags", "version", "method_id", "request_bytes",
    "response_bytes", "content_length", "trace_id", "parent_id", "span_id", "call_id", "method", "target", "host",
    "remote", "fields",
)


cdef int journal_open(
    journal* j, uint64_t capacity, shard* counts, uint64_t bell_bytes,
    void (*ring_bell)(void*) noexcept nogil, void* ringer,
) noexcept nogil:
    """`capacity` is a power of two from 4096 on, in bytes; 0 leaves the journal off.

    The bell rings when the backlog passes `bell_bytes`; with 1, whenever there
    is something to read. Whoever it woke drains until nothing comes.
    """
    cdef void* memory
    memset(j, 0, sizeof(journal))
    j.counts = counts
    j.bell_bytes = bell_bytes
    j.ring_bell = ring_bell
    j.ringer = ringer
    if capacity == 0:
        return OK
    memory = mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    if memory == MAP_FAILED:
        return -NO_MEMORY
    j.ring = <char*>memory
    j.capacity = capacity
    return OK


cdef void journal_close(journal* j) noexcept nogil:
    if j.ring is not NULL:
        munmap(j.ring, j.capacity)
    j.ring = NULL


cdef uint64_t tail_of(const journal* j) noexcept nogil:
    """Where the reader is, as the writer sees it."""
    cdef uint64_t tail = u64_load_full(&j.tail)
    return j.skip_to if tail == j.skip_from else tail


cdef uint64_t left_of(const journal* j, uint64_t position) noexcept nogil:
    """Bytes up to the end of the lap; 0 at the beginning of one."""
    return -position & (j.capacity - 1)


cdef void skip_lap(journal* j) noexcept nogil:
    """The next record goes to the ring's beginning; an entry without bytes tells the reader."""
    (<journal_entry*>(j.ring + (j.head & (j.capacity - 1)))).bytes = 0
    u64_store_full(&j.head, j.head + left_of(j, j.head))
    j.touched = j.capacity


cdef void start_over(journal* j) noexcept nogil:
    """The ring is empty: uses its first pages again, and lets go of those that a burst has touched.

    The new lap may overwrite the place where the reader stands, so what tells
    it to move on is not in the ring.
    """
    if (j.head & (j.capacity - 1)) <= JOURNAL_KEPT_BYTES and j.touched <= JOURNAL_BURST_BYTES:
        return
    u64_store_full(&j.skip_to, j.head + left_of(j, j.head))
    u64_store_full(&j.skip_from, j.head)
    u64_store_full(&j.head, j.skip_to)
    if j.touched > JOURNAL_BURST_BYTES:
        madvise(j.ring + JOURNAL_KEPT_BYTES, j.touched - JOURNAL_KEPT_BYTES, MADV_DONTNEED)
        j.touched = JOURNAL_KEPT_BYTES


cdef char* journal_begin(journal* j, journal_entry* entry) noexcept nogil:
    """Room for the texts, whose lengths stand in `entry`; NULL, and counted, when there is none.

    The texts go there one behind the other, and journal_end follows.
    """
    cdef uint64_t n = sizeof(journal_entry)
    cdef uint64_t left
    cdef char* at
    cdef int i
    if j.ring is NULL:
        return NULL
    for i in range(<int>TEXTS):
        n += entry.lens[i]
    n = (n + 7) & ~<uint64_t>7
    if tail_of(j) == j.head:
        start_over(j)
    left = left_of(j, j.head)
    if left >= n:
        left = 0
    if n > j.capacity // 2 or j.head + left + n - tail_of(j) > j.capacity:
        counter_add(j.counts.journal_dropped, 1)
        return NULL
    j.before = j.head
    if left:
        skip_lap(j)
    entry.bytes = <uint32_t>n
    at = j.ring + (j.head & (j.capacity - 1))
    memcpy(at, entry, sizeof(journal_entry))
    return at + sizeof(journal_entry)


cdef void journal_end(journal* j) noexcept nogil:
    """Publishes what journal_begin began; rings the bell when the backlog has passed its mark."""
    cdef uint64_t at = j.head & (j.capacity - 1)
    cdef uint64_t tail
    cdef uint32_t n = (<journal_entry*>(j.ring + at)).bytes
    if at + n > j.touched:
        j.touched = at + n
    u64_store_full(&j.head, j.head + n)
    counter_add(j.counts.journal_records, 1)
    if j.ring_bell is NULL:
        return
    tail = tail_of(j)
    if j.before - tail < j.bell_bytes <= j.head - tail:
        j.ring_bell(j.ringer)


cdef int journal_write(journal* j, journal_entry* entry, const span* texts) noexcept nogil:
    """Writes a record with its TEXTS texts; DONE when it was dropped."""
    cdef char* at
    cdef int i
    for i in range(<int>TEXTS):
        entry.lens[i] = <uint32_t>texts[i].len
    at = journal_begin(j, entry)
    if at is NULL:
        return DONE
    for i in range(<int>TEXTS):
        if texts[i].len:
            memcpy(at, texts[i].at, texts[i].len)
        at += texts[i].len
    journal_end(j)
    return OK


cdef tuple tuple_of(const journal_entry* e):
    """In the order of JOURNAL_FIELDS."""
    cdef const char* at = <const char*>e + sizeof(journal_entry)
    cdef int i
    texts = []
    for i in range(<int>TEXTS):
        texts.append(at[:e.lens[i]])
        at += e.lens[i]
    return (
        e.start_unix_ns, tuple([e.stamps_ns[i] for i in range(<int>STAMPS)]), e.status, e.fault, e.flags, e.version,
        e.method, e.request_bytes, e.response_bytes, e.content_length, (<const char*>e.trace_id)[:16],
        (<const char*>e.parent_id)[:8], (<const char*>e.span_id)[:8], (<const char*>e.call_id)[:8], *texts,
    )


cdef list journal_drain(journal* j, size_t bytes_max):
    """Takes records until `bytes_max` is passed, at least one when there is one; [] when there is nothing more.

    One reader at a time. What it takes is gone from the ring when it returns.
    """
    cdef uint64_t tail = u64_load_relaxed(&j.tail)
    cdef uint64_t taken = 0
    cdef const journal_entry* entry
    records = []
    while j.ring is not NULL and taken < bytes_max and tail != u64_load_full(&j.head):
        if tail == u64_load_full(&j.skip_from):
            tail = u64_load_full(&j.skip_to)
            if tail == u64_load_full(&j.head):
                break
        entry = <const journal_entry*>(j.ring + (tail & (j.capacity - 1)))
        if entry.bytes == 0:
            tail += left_of(j, tail)
            continue
        records.append(tuple_of(entry))
        taken += entry.bytes
        tail += entry.bytes
    u64_store_full(&j.tail, tail)
    return records
