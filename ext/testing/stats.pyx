# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""stats: shards, concurrency, histograms, series and journals in plain views.

Floor      testing: may cimport everything; imported only by tests.
"""

from libc.stdint cimport uint64_t

from ext.stats.busy cimport busy, busy_in, busy_init, busy_out, busy_read
from ext.stats.shard cimport LISTENER_MAIN, counter_add, counter_set, shard, shard_init, shard_read


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

    def read(self):
        return busy_read(&self.c)
