# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""chain: bodies; the story is in chain.pxd.

Floor      base: may cimport nothing outside of base.
"""

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from ext.base.atomics cimport i64_add_relaxed, i64_load_relaxed
from ext.base.debug cimport LIVE_BLOCK, LIVE_DOWN, LIVE_UP
from ext.base.faults cimport NO_MEMORY
from ext.base.result cimport OK
from ext.base.slab cimport slab_give, slab_init, slab_take


cdef void block_pool_init(block_pool* pool, int64_t* used, int64_t used_max) noexcept nogil:
    slab_init(&pool.blocks, BLOCK_BYTES, 32)
    pool.used = used
    pool.used_max = used_max


cdef bint chain_is_tight(const block_pool* pool) noexcept nogil:
    """Half of the budget is in use: from here on nobody gets more than a block."""
    return i64_load_relaxed(pool.used) > pool.used_max // 2


cdef bint chain_is_spent(const block_pool* pool) noexcept nogil:
    """A sixteenth is left, for heads: bodies have to wait."""
    return i64_load_relaxed(pool.used) + 2 * BLOCK_BYTES > pool.used_max - pool.used_max // 16


cdef void chain_init(chain* c, block_pool* pool) noexcept nogil:
    c.pool = pool
    c.head = NULL
    c.tail = NULL
    c.len = 0


cdef block* block_new(block_pool* pool, size_t room) noexcept nogil:
    cdef block* b
    if room <= BLOCK_BYTES - sizeof(block):
        b = <block*>slab_take(&pool.blocks)
        room = BLOCK_BYTES - sizeof(block)
    else:
        b = <block*>malloc(sizeof(block) + room)
    if b is NULL:
        return NULL
    LIVE_UP(LIVE_BLOCK)
    i64_add_relaxed(pool.used, <int64_t>(room + sizeof(block)))
    b.next = NULL
    b.size = <int>room
    b.start = 0
    b.end = 0
    return b


cdef void block_free(block_pool* pool, block* b) noexcept nogil:
    LIVE_DOWN(LIVE_BLOCK)
    i64_add_relaxed(pool.used, -<int64_t>(b.size + sizeof(block)))
    if b.size == BLOCK_BYTES - <int>sizeof(block):
        slab_give(&pool.blocks, b)
    else:
        free(b)


cdef char* chain_reserve(chain* c, size_t n) noexcept nogil:
    """Room for `n` bytes in one piece, to be filled and then committed; NULL when there is no memory."""
    cdef block* b = c.tail
    if b is NULL or <size_t>(b.size - b.end) < n:
        b = block_new(c.pool, n)
        if b is NULL:
            return NULL
        if c.tail is NULL:
            c.head = b
        else:
            c.tail.next = b
        c.tail = b
    return <char*>b + sizeof(block) + b.end


cdef void chain_commit(chain* c, size_t n) noexcept nogil:
    c.tail.end += <int>n
    c.len += n


cdef int chain_append(chain* c, const char* at, size_t n) noexcept nogil:
    cdef size_t part
    cdef char* room
    while n:
        part = n
        if part > BLOCK_BYTES - sizeof(block):
            part = BLOCK_BYTES - sizeof(block)
        if c.tail is not NULL and 0 < c.tail.size - c.tail.end and <size_t>(c.tail.size - c.tail.end) < part:
            part = <size_t>(c.tail.size - c.tail.end)
        room = chain_reserve(c, part)
        if room is NULL:
            return -NO_MEMORY
        memcpy(room, at, part)
        chain_commit(c, part)
        at += part
        n -= part
    return OK


cdef void chain_drop(chain* c, size_t n) noexcept nogil:
    """The first `n` bytes have been taken; frees the blocks that are empty now."""
    cdef block* b
    cdef size_t have
    c.len -= n
    while n or (c.head is not NULL and c.head.start == c.head.end):
        b = c.head
        have = <size_t>(b.end - b.start)
        if n < have:
            b.start += <int>n
            return
        n -= have
        c.head = b.next
        if c.head is NULL:
            c.tail = NULL
        block_free(c.pool, b)


cdef void chain_clear(chain* c) noexcept nogil:
    cdef block* b
    while c.head is not NULL:
        b = c.head
        c.head = b.next
        block_free(c.pool, b)
    c.tail = NULL
    c.len = 0
