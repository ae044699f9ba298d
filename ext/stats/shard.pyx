# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""shard: bodies; the story is in shard.pxd.

Floor      stats: may cimport ext.base, nothing else.
Takes      one addition at a time, from one worker.
Gives      all counters as plain numbers, in the order of `counter_names()`.
Never      adds up workers: Python does that when asked.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memset

from ext.base.atomics cimport u64_load_relaxed
from ext.base.faults cimport FAULT_COUNT, fault_table


cdef void shard_init(shard* s) noexcept nogil:
    memset(s, 0, sizeof(shard))


def counter_names():
    """((field, labels), ...) of all counters; labels is () for a single number."""
    cdef int row = 0
    names = []
    while counter_table[row].name is not NULL:
        names.append((counter_table[row].name.decode(), labels_of(row)))
        row += 1
    return tuple(names)


cdef tuple labels_of(int row):
    cdef int i
    if counter_table[row].count == 1:
        return ()
    if counter_table[row].labels[0] is NULL:
        return tuple([fault_table[i].name.decode().lower() for i in range(<int>FAULT_COUNT)])
    return tuple([counter_table[row].labels[i].decode() for i in range(counter_table[row].count)])


cdef object shard_read(const shard* s):
    """{field: number, or list of numbers in the order of its labels}."""
    cdef int row = 0
    cdef int i
    cdef const uint64_t* at
    values = {}
    while counter_table[row].name is not NULL:
        at = <const uint64_t*>(<const char*>s + counter_table[row].offset)
        name = counter_table[row].name.decode()
        if counter_table[row].count == 1:
            values[name] = u64_load_relaxed(at)
        else:
            values[name] = [u64_load_relaxed(&at[i]) for i in range(counter_table[row].count)]
        row += 1
    return values
