# cython: language_level=3
"""directory: targets by name, "namespace/revision".

A hash table with open addressing, never written after it was made; plans whose
targets are the same share one.

Who may write   shares: any thread, by add.
"""

from libc.stdint cimport uint64_t

from ext.base.span cimport span
from ext.upstream.target cimport target

cdef struct directory:
    uint64_t shares
    uint64_t mask            # rows less one; a power of two less one
    uint64_t count
    target* rows[1]          # shares: by hash of the roster's name; NULL: free

cdef directory* directory_new(uint64_t count_max) noexcept nogil
cdef directory* directory_share(directory* d) noexcept nogil
cdef void directory_drop(directory* d) noexcept nogil
cdef void directory_put(directory* d, target* t) noexcept nogil
cdef target* directory_find(const directory* d, span space, span name) noexcept nogil
cdef target* directory_get(const directory* d, uint64_t hash, span name) noexcept nogil
