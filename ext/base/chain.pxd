# cython: language_level=3
"""chain: bytes that wait to be written, in blocks of a worker's slab.

Bytes are appended at the tail and taken from the head. A chain holds no block
while it is empty. Blocks count against one budget of the whole process, which
`chain_is_tight` and `chain_is_spent` answer for: who reads asks them before
reading more. What is needed to answer a request at all is taken even then.
"""

from libc.stdint cimport int64_t

from ext.base.slab cimport slab

cdef enum:
    BLOCK_BYTES = 8192

cdef struct block:
    block* next      # owns: the rest of the chain
    int size         # usable bytes behind this header
    int start        # first byte not yet taken
    int end          # one past the last byte

cdef struct block_pool:
    slab blocks             # blocks of BLOCK_BYTES in all
    int64_t* used           # shares: bytes in blocks, all workers; written by add
    int64_t used_max        # the budget, bytes

cdef struct chain:
    block_pool* pool  # borrows: the worker's
    block* head      # owns
    block* tail      # borrows: last of head
    size_t len       # bytes that wait

cdef void block_pool_init(block_pool* pool, int64_t* used, int64_t used_max) noexcept nogil
cdef void chain_init(chain* c, block_pool* pool) noexcept nogil
cdef int chain_append(chain* c, const char* at, size_t n) noexcept nogil
cdef char* chain_reserve(chain* c, size_t n) noexcept nogil
cdef void chain_commit(chain* c, size_t n) noexcept nogil
cdef void chain_drop(chain* c, size_t n) noexcept nogil
cdef void chain_clear(chain* c) noexcept nogil
cdef bint chain_is_tight(const block_pool* pool) noexcept nogil
cdef bint chain_is_spent(const block_pool* pool) noexcept nogil


cdef inline const char* block_at(const block* b) noexcept nogil:
    return <const char*>b + sizeof(block) + b.start
