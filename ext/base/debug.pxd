# cython: language_level=3
"""debug: live counters and checks that cost nothing in release (see debug.h)."""

cdef extern from "debug.h" nogil:
    enum ext_live_kind:
        LIVE_ARENA
        LIVE_BLOCK
        LIVE_TRANSPORT
        LIVE_CONN
        LIVE_STREAM
        LIVE_EXCHANGE
        LIVE_TICKET
        LIVE_KINDS
    const bint EXT_IS_DEBUG
    void LIVE_UP(int kind) noexcept
    void LIVE_DOWN(int kind) noexcept
    long LIVE_COUNT(int kind) noexcept
    void EXT_CHECK(bint what) noexcept
