# cython: language_level=3
"""scan: the searches of scan.h; `end` is returned when nothing stops them."""

cdef extern from "ext/http/scan.h" nogil:
    enum scan_kind:
        SCAN_TOKEN
        SCAN_VALUE
        SCAN_TARGET
        SCAN_HOST
        SCAN_HEX
        SCAN_DIGIT
    bint scan_is(char c, int kinds) noexcept
    const char* scan_while(const char* at, const char* end, int kinds) noexcept
    const char* scan_token(const char* at, const char* end) noexcept
    const char* scan_value(const char* at, const char* end) noexcept
    const char* scan_target(const char* at, const char* end) noexcept
