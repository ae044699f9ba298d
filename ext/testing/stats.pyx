# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""stats: shards, concurrency, histograms, series and journals in plain views.

Floor      testing: may cimport everything; imported only by tests.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset

from ext.base.clock cimport clock_now_ns
from ext.base.result cimport OK
from ext.base.span cimport span, span_of

from ext.stats.busy cimport busy, busy_in, busy_init, busy_out, busy_read
from ext.stats.histogram cimport DURATION_BOUNDS, SIZE_BOUNDS, durations, durations_record, sizes, sizes_record
from ext.stats.journal cimport journal, journal_close, journal_drain, journal_entry, journal_open, journal_write
from ext.stats.labels cimport labels, labels_clear, labels_find, labels_init, labels_text
from ext.stats.series cimport SERIES_MAX, outcome, series, series_add, series_clear, series_init, series_read
from ext.stats.shard cimport LISTENER_MAIN, counter_add, counter_set, shard, shard_init, shard_read

from ext.stats.journal import JOURNAL_FIELDS

cdef extern from "sched.h" nogil:
    int sched_yield()


cdef class Shard:
    cdef shard c

    def __cinit__(self):
        shard_init(&self.c)

    def fault(self, int fault):
        counter_add(&self.c.faults[fault], 1)

    def request(self, uint64_t now_ns):
        counter_add(&self.c.requests[<int>LISTENER_MAIN], 1)
        counter_set(self.c.last_request_start_ns, now_ns)

    def bytes_in(self, uint64_t n):
        counter_add(self.c.bytes_in, n)

    def read(self):
        return shard_read(&self.c)


cdef class Busy:
    cdef busy c

    def __cinit__(self, uint64_t now_ns=0):
        busy_init(&self.c, now_ns)

    def arrive(self, uint64_t now_ns, bint proxied=False):
        busy_in(&self.c, now_ns, proxied)

    def leave(self, uint64_t now_ns, bint proxied=False):
        busy_out(&self.c, now_ns, proxied)

    def spin(self, int changes):
        """Proxied arrivals and ends in turn, one each nanosecond of a pretended clock, without the GIL."""
        cdef int i
        with nogil:
            for i in range(changes):
                if i % 2:
                    busy_out(&self.c, i, True)
                else:
                    busy_in(&self.c, i, True)

    def read(self):
        return busy_read(&self.c)


def duration_bucket(uint64_t value_ns):
    cdef durations h
    memset(&h, 0, sizeof(h))
    durations_record(&h, value_ns)
    return [h.counts[i] for i in range(DURATION_BOUNDS + 1)].index(1)


def size_bucket(uint64_t value_bytes):
    cdef sizes h
    memset(&h, 0, sizeof(h))
    sizes_record(&h, value_bytes)
    return [h.counts[i] for i in range(SIZE_BOUNDS + 1)].index(1)


cdef class Labels:
    cdef labels c

    def __cinit__(self, int values_max):
        if labels_init(&self.c, values_max) < 0:
            raise MemoryError

    def __dealloc__(self):
        labels_clear(&self.c)

    def find(self, bytes text):
        return labels_find(&self.c, span_of(text, len(text)))

    def text(self, int slot):
        return labels_text(&self.c, slot)


cdef class Series:
    """One worker's series; `read` of several into one dictionary adds them up."""
    cdef series c

    def __cinit__(self, int labels_max=100, int series_max=SERIES_MAX):
        if series_init(&self.c, labels_max, series_max) < 0:
            raise MemoryError

    def __dealloc__(self):
        series_clear(&self.c)

    cdef outcome outcome_of(self, dict values):
        cdef outcome o
        cdef bytes host = values.get("host", b"")
        cdef bytes tag = values.get("tag", b"")
        memset(&o, 0, sizeof(outcome))
        o.host = span_of(host, len(host))
        o.tag = span_of(tag, len(tag))
        o.has_server = "status" in values
        o.has_client = "client_ns" in values
        o.has_invocation = "invocation_ns" in values
        o.is_tls = values.get("is_tls", False)
        o.method = values.get("method", 0)
        o.version = values.get("version", 11)
        o.client_version = values.get("client_version", 11)
        o.status = values.get("status", 0)
        o.client_status = values.get("client_status", 0)
        o.client_fault = values.get("client_fault", 0)
        o.invocation_status = values.get("invocation_status", 0)
        o.duration_ns = values.get("duration_ns", 0)
        o.client_ns = values.get("client_ns", 0)
        o.invocation_ns = values.get("invocation_ns", 0)
        o.request_bytes = values.get("request_bytes", 0)
        o.response_bytes = values.get("response_bytes", 0)
        return o

    def add(self, **values):
        cdef outcome o = self.outcome_of(values)
        series_add(&self.c, &o)

    def cost_ns(self, int times, **values):
        """Mean time of one series_add, in ns."""
        cdef outcome o = self.outcome_of(values)
        cdef int _i
        cdef uint64_t began_ns = clock_now_ns()
        with nogil:
            for _i in range(times):
                series_add(&self.c, &o)
        return (clock_now_ns() - began_ns) / times

    def read(self, into=None):
        values = {} if into is None else into
        series_read(&self.c, values)
        return values


cdef void count_bell(void* ringer) noexcept nogil:
    (<uint64_t*>ringer)[0] += 1


cdef class Journal:
    cdef journal c
    cdef shard counts
    cdef uint64_t rung

    def __cinit__(self, uint64_t capacity, uint64_t bell_bytes=1):
        shard_init(&self.counts)
        self.rung = 0
        if journal_open(&self.c, capacity, &self.counts, bell_bytes, count_bell, &self.rung) < 0:
            raise MemoryError

    def __dealloc__(self):
        journal_close(&self.c)

    def write(
        self, bytes method=b"GET", bytes target=b"/", bytes host=b"", bytes remote=b"", bytes fields=b"", **values
    ):
        cdef journal_entry entry
        cdef span texts[5]
        cdef bytes trace_id = values.get("trace_id", bytes(16))
        cdef bytes span_id = values.get("span_id", bytes(8))
        memset(&entry, 0, sizeof(entry))
        entry.start_unix_ns = values.get("start_unix_ns", 0)
        entry.status = values.get("status", 200)
        entry.fault = values.get("fault", 0)
        entry.flags = values.get("flags", 0)
        entry.version = values.get("version", 11)
        entry.method = values.get("method_id", 1)
        entry.request_bytes = values.get("request_bytes", 0)
        entry.response_bytes = values.get("response_bytes", 0)
        entry.content_length = values.get("content_length", -1)
        for i, stamp in enumerate(values.get("stamps_ns", ())):
            entry.stamps_ns[i] = stamp
        memcpy(entry.trace_id, <const char*>trace_id, 16)
        memcpy(entry.span_id, <const char*>span_id, 8)
        texts[0] = span_of(method, len(method))
        texts[1] = span_of(target, len(target))
        texts[2] = span_of(host, len(host))
        texts[3] = span_of(remote, len(remote))
        texts[4] = span_of(fields, len(fields))
        return journal_write(&self.c, &entry, texts) == OK

    def drain(self, bytes_max=1 << 20):
        return [dict(zip(JOURNAL_FIELDS, record)) for record in journal_drain(&self.c, bytes_max)]

    def counted(self):
        """(written, dropped, bells)"""
        return self.counts.journal_records[0], self.counts.journal_dropped[0], self.rung

    def position(self):
        """Where in the ring the next record goes, in bytes; and bytes of it that may be resident."""
        return (self.c.head & (self.c.capacity - 1) if self.c.capacity else 0), self.c.touched

    def follow(self, int count, size_t text_bytes):
        """Writes `count` numbered records without the GIL while another thread drains; gives how many were dropped."""
        cdef journal_entry entry
        cdef span texts[5]
        cdef bytes text = bytes(text_bytes)
        cdef int i
        cdef int dropped = 0
        memset(&entry, 0, sizeof(entry))
        memset(texts, 0, sizeof(texts))
        texts[1] = span_of(text, text_bytes)
        with nogil:
            for i in range(count):
                entry.start_unix_ns = i
                texts[1].len = (i * 37) % (text_bytes + 1)
                if journal_write(&self.c, &entry, texts) != OK:
                    dropped += 1
                    sched_yield()
        return dropped
