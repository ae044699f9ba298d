# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""series: bodies; the story is in series.pxd.

Floor      stats: may cimport ext.base, nothing else.
Takes      all figures of one exchange, once, at its end.
Gives      for each label set three histograms, added to those of other workers.
Never      allocates but for a label set that it has not seen.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from ext.base.atomics cimport (
    ptr_load_acquire, ptr_store_release, u64_load_acquire, u64_load_relaxed, u64_store_relaxed, u64_store_release,
)
from ext.base.faults cimport NO_MEMORY
from ext.base.result cimport OK

from ext.stats.histogram cimport (
    DURATION_BOUNDS, SIZE_BOUNDS, durations_copy, durations_record, sizes_copy, sizes_record,
)
from ext.stats.labels cimport LABEL_MIX, labels_clear, labels_find, labels_init, labels_text

cdef extern from "sched.h" nogil:
    int sched_yield()

SERIES_FIELDS = ("kind", "method", "is_tls", "version", "status", "fault", "host", "tag")
SERIES_KIND_NAMES = ("server", "client", "invocation")


cdef int series_init(series* s, int labels_max, int series_max) noexcept nogil:
    """At most `labels_max` hosts, as many tags, and `series_max` label sets beside three for the rest."""
    cdef uint64_t entries = 16
    memset(s, 0, sizeof(series))
    while entries < 2 * <uint64_t>(series_max + <int>SERIES_KINDS):
        entries *= 2
    s.newest = &s.first
    s.mask = entries - 1
    s.count_max = series_max
    s.index = <series_record**>calloc(entries, sizeof(void*))
    if s.index is NULL or labels_init(&s.hosts, labels_max) < 0 or labels_init(&s.tags, labels_max) < 0:
        series_clear(s)
        return -NO_MEMORY
    return OK


cdef void series_clear(series* s) noexcept nogil:
    cdef series_chunk* chunk = s.first.next
    cdef series_chunk* next
    while chunk is not NULL:
        next = chunk.next
        free(chunk)
        chunk = next
    free(s.index)
    labels_clear(&s.hosts)
    labels_clear(&s.tags)
    memset(s, 0, sizeof(series))


cdef uint64_t key_of(
    uint64_t kind, uint64_t method, bint is_tls, uint64_t version, uint64_t status, uint64_t fault, uint64_t host,
    uint64_t tag,
) noexcept nogil:
    return (
        kind << 62 | (method & 15) << 58 | (<uint64_t>1 if is_tls else <uint64_t>0) << 57 | (version & 31) << 52
        | (status & 1023) << 42 | (fault & 1023) << 32 | (host & 65535) << 16 | (tag & 65535)
    )


cdef series_record* new_record(series* s, uint64_t key) noexcept nogil:
    """NULL when there is no memory."""
    cdef series_chunk* chunk = s.newest
    cdef series_chunk* more
    cdef series_record* record
    if chunk.count == SERIES_CHUNK:
        more = <series_chunk*>calloc(1, sizeof(series_chunk))
        if more is NULL:
            return NULL
        ptr_store_release(&chunk.next, more)
        s.newest = more
        chunk = more
    record = &chunk.records[chunk.count]
    record.key = key
    u64_store_release(&chunk.count, chunk.count + 1)
    s.count += 1
    return record


cdef series_record* find_record(series* s, uint64_t key) noexcept nogil:
    """The record of a key, made when there is none; past the bound that of its kind's rest."""
    cdef int kind = <int>(key >> 62)
    cdef uint64_t at = ((key * LABEL_MIX) >> 32) & s.mask
    if s.last[kind] is not NULL and s.last[kind].key == key:
        return s.last[kind]
    while s.index[at] is not NULL and s.index[at].key != key:
        at = (at + 1) & s.mask
    if s.index[at] is NULL:
        if s.count >= s.count_max and key << 2:
            return find_record(s, <uint64_t>kind << 62)
        s.index[at] = new_record(s, key)
    s.last[kind] = s.index[at]
    return s.index[at]


cdef void record_values(
    series* s, uint64_t key, uint64_t duration_ns, const uint64_t* request_bytes, const uint64_t* response_bytes
) noexcept nogil:
    """A size that is NULL is none of this kind's."""
    cdef series_record* record = find_record(s, key)
    if record is NULL:
        return
    u64_store_relaxed(&record.seq, record.seq + 1)
    durations_record(&record.duration, duration_ns)
    if request_bytes is not NULL:
        sizes_record(&record.request_size, request_bytes[0])
    if response_bytes is not NULL:
        sizes_record(&record.response_size, response_bytes[0])
    u64_store_release(&record.seq, record.seq + 1)


cdef void series_add(series* s, const outcome* o) noexcept nogil:
    cdef uint64_t tag = 0
    cdef uint64_t host
    if o.has_server or o.has_client:
        tag = labels_find(&s.tags, o.tag)
    if o.has_server:
        host = labels_find(&s.hosts, o.host)
        record_values(
            s, key_of(SERIES_SERVER, o.method, o.is_tls, o.version, o.status, 0, host, tag),
            o.duration_ns, &o.request_bytes, &o.response_bytes,
        )
    if o.has_client:
        record_values(
            s, key_of(SERIES_CLIENT, o.method, False, o.client_version, o.client_status, o.client_fault, 0, tag),
            o.client_ns, &o.request_bytes, NULL,
        )
    if o.has_invocation:
        record_values(
            s, key_of(SERIES_INVOCATION, 0, False, 0, o.invocation_status, 0, 0, 0), o.invocation_ns, NULL, NULL
        )


cdef void copy_record(const series_record* record, series_record* into) noexcept nogil:
    """Any thread; tries again when the worker was writing."""
    into.key = record.key
    while True:
        into.seq = u64_load_acquire(&record.seq)
        durations_copy(&record.duration, &into.duration)
        sizes_copy(&record.request_size, &into.request_size)
        sizes_copy(&record.response_size, &into.response_size)
        if not into.seq & 1 and u64_load_relaxed(&record.seq) == into.seq:
            return
        sched_yield()


cdef object names_of(const series* s, uint64_t key):
    """The key as SERIES_FIELDS has it; host and tag are bytes, or None for one of the others."""
    return (
        SERIES_KIND_NAMES[key >> 62], (key >> 58) & 15, bool((key >> 57) & 1), (key >> 52) & 31, (key >> 42) & 1023,
        (key >> 32) & 1023, labels_text(&s.hosts, (key >> 16) & 65535), labels_text(&s.tags, key & 65535),
    )


cdef void add_values(list into, const uint64_t* counts, int buckets, uint64_t total):
    cdef int i
    for i in range(buckets):
        into[0][i] += counts[i]
    into[1] += total


cdef void series_read(const series* s, dict into):
    """Adds every label set to {key: [duration, request size, response size]}, each as [counts, sum].

    The key is a tuple as SERIES_FIELDS names it. Durations are ns with 33
    counts, sizes bytes with 16; counts are not accumulated.
    """
    cdef const series_chunk* chunk = &s.first
    cdef series_record copy
    cdef uint64_t i
    while chunk is not NULL:
        for i in range(u64_load_acquire(&chunk.count)):
            copy_record(&chunk.records[i], &copy)
            names = names_of(s, copy.key)
            if names not in into:
                into[names] = [[[0] * (bounds + 1), 0] for bounds in (DURATION_BOUNDS, SIZE_BOUNDS, SIZE_BOUNDS)]
            duration, request, response = into[names]
            add_values(duration, copy.duration.counts, DURATION_BOUNDS + 1, copy.duration.sum_ns)
            add_values(request, copy.request_size.counts, SIZE_BOUNDS + 1, copy.request_size.sum_bytes)
            add_values(response, copy.response_size.counts, SIZE_BOUNDS + 1, copy.response_size.sum_bytes)
        chunk = <const series_chunk*>ptr_load_acquire(&chunk.next)
