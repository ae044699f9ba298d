# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""context: the Date field, made once a second.

Floor      proxy: may cimport every floor below.
"""


from ext.base.clock cimport NS_PER_S, clock_wall_ns

cdef extern from "<time.h>" nogil:
    ctypedef long time_t
    struct tm:
        int tm_sec
    tm* gmtime_r(const time_t* seconds, tm* parts)
    size_t strftime(char* at, size_t n, const char* form, const tm* parts)


cdef const char* proxy_date(worker* w) noexcept nogil:
    """DATE_BYTES of an IMF-fixdate (RFC 9110 5.6.7), valid for this turn."""
    cdef proxy_context* p = proxy_of(w)
    cdef time_t now_s = <time_t>(clock_wall_ns() // NS_PER_S)
    cdef tm parts
    if now_s != p.date_s:
        p.date_s = now_s
        gmtime_r(&now_s, &parts)
        strftime(p.date, sizeof(p.date), "%a, %d %b %Y %H:%M:%S GMT", &parts)
    return p.date
