# cython: language_level=3
"""atomics: the only atomic operations of the engine, memory order in the name.

The order stands on the operation and never on a fence: ThreadSanitizer does
not understand fences. `full` is sequentially consistent, used where two
workers each write one word and read the other's.
"""

from libc.stdint cimport int64_t, uint64_t

cdef extern from * nogil:
    """
    #define u64_load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
    #define u64_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define u64_load_full(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
    #define u64_store_relaxed(p, v) __atomic_store_n((p), (uint64_t)(v), __ATOMIC_RELAXED)
    #define u64_store_release(p, v) __atomic_store_n((p), (uint64_t)(v), __ATOMIC_RELEASE)
    #define u64_store_full(p, v) __atomic_store_n((p), (uint64_t)(v), __ATOMIC_SEQ_CST)
    #define u64_add_relaxed(p, v) __atomic_fetch_add((p), (uint64_t)(v), __ATOMIC_RELAXED)
    #define u64_add_full(p, v) __atomic_fetch_add((p), (uint64_t)(v), __ATOMIC_SEQ_CST)
    #define u64_swap_full(p, v) __atomic_exchange_n((p), (uint64_t)(v), __ATOMIC_SEQ_CST)
    #define u64_cas_full(p, was, now) \
        __atomic_compare_exchange_n((p), (was), (uint64_t)(now), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
    #define i64_load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
    #define i64_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
    #define i64_store_relaxed(p, v) __atomic_store_n((p), (int64_t)(v), __ATOMIC_RELAXED)
    #define i64_store_release(p, v) __atomic_store_n((p), (int64_t)(v), __ATOMIC_RELEASE)
    #define i64_add_relaxed(p, v) __atomic_fetch_add((p), (int64_t)(v), __ATOMIC_RELAXED)
    #define i64_add_acq_rel(p, v) __atomic_fetch_add((p), (int64_t)(v), __ATOMIC_ACQ_REL)
    #define ptr_load_acquire(p) __atomic_load_n((void**)(p), __ATOMIC_ACQUIRE)
    #define ptr_store_release(p, v) __atomic_store_n((void**)(p), (void*)(v), __ATOMIC_RELEASE)
    #define ptr_swap_acq_rel(p, v) __atomic_exchange_n((void**)(p), (void*)(v), __ATOMIC_ACQ_REL)
    #define ptr_cas_release(p, was, now) \
        __atomic_compare_exchange_n((void**)(p), (void**)(was), (void*)(now), 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
    """
    uint64_t u64_load_relaxed(const uint64_t* p) noexcept
    uint64_t u64_load_acquire(const uint64_t* p) noexcept
    uint64_t u64_load_full(const uint64_t* p) noexcept
    void u64_store_relaxed(uint64_t* p, uint64_t v) noexcept
    void u64_store_release(uint64_t* p, uint64_t v) noexcept
    void u64_store_full(uint64_t* p, uint64_t v) noexcept
    uint64_t u64_add_relaxed(uint64_t* p, uint64_t v) noexcept
    uint64_t u64_add_full(uint64_t* p, uint64_t v) noexcept
    uint64_t u64_swap_full(uint64_t* p, uint64_t v) noexcept
    bint u64_cas_full(uint64_t* p, uint64_t* was, uint64_t now) noexcept
    int64_t i64_load_relaxed(const int64_t* p) noexcept
    int64_t i64_load_acquire(const int64_t* p) noexcept
    void i64_store_relaxed(int64_t* p, int64_t v) noexcept
    void i64_store_release(int64_t* p, int64_t v) noexcept
    int64_t i64_add_relaxed(int64_t* p, int64_t v) noexcept
    int64_t i64_add_acq_rel(int64_t* p, int64_t v) noexcept
    void* ptr_load_acquire(void* p) noexcept
    void ptr_store_release(void* p, void* v) noexcept
    void* ptr_swap_acq_rel(void* p, void* v) noexcept
    bint ptr_cas_release(void* p, void* was, void* now) noexcept
