# cython: language_level=3
"""lower: hashes and compares names whatever their case, 8 bytes at a time."""

from libc.stdint cimport uint64_t

cdef extern from * nogil:
    """
    #include <stdint.h>
    #include <string.h>
    /* ASCII letters of 8 bytes in lower case; other bytes as they are. */
    static inline uint64_t lower_word(uint64_t w)
    {
        const uint64_t ones = 0x0101010101010101u;
        uint64_t low = w & (0x7f * ones);
        uint64_t from_a = low + (0x80 - 'A') * ones;
        uint64_t above_z = low + (0x7f - 'Z') * ones;
        return w | (((from_a & ~above_z & ~w) & (0x80 * ones)) >> 2);
    }
    static inline uint64_t lower_load(const char* at, size_t n)
    {
        uint64_t w = 0;
        if (n >= 8) { memcpy(&w, at, 8); return lower_word(w); }
        for (size_t i = 0; i < n; i++) w = w << 8 | (unsigned char)at[i];
        return lower_word(w);
    }
    /* Multiply and fold, a word at a time; the last word may overlap the one before. */
    static inline uint64_t lower_hash(const char* at, size_t n)
    {
        const uint64_t factor = 0x9e3779b97f4a7c15u;
        uint64_t hash = n * factor;
        size_t i = 0;
        for (; i + 8 < n; i += 8) {
            hash = (hash ^ lower_load(at + i, 8)) * factor;
            hash ^= hash >> 32;
        }
        hash = (hash ^ (n < 8 ? lower_load(at, n) : lower_load(at + n - 8, 8))) * factor;
        return hash ^ (hash >> 32);
    }
    /* `small` is in lower case already, and as long. */
    static inline int lower_equals(const char* at, const char* small, size_t n)
    {
        size_t i = 0;
        uint64_t w;
        if (n < 8) return lower_load(at, n) == lower_load(small, n);
        for (;;) {
            memcpy(&w, small + i, 8);
            if (lower_load(at + i, 8) != w) return 0;
            if (i == n - 8) return 1;
            i = i + 16 > n ? n - 8 : i + 8;
        }
    }
    """
    uint64_t lower_hash(const char* at, size_t n) noexcept
    bint lower_equals(const char* at, const char* small, size_t n) noexcept
