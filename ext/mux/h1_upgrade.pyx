# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h1_upgrade: bodies; the story is in h1_upgrade.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
"""

from libc.string cimport memcpy

from ext.base.arena cimport arena_free, arena_take
from ext.base.result cimport AGAIN, OK
from ext.base.span cimport span_is_nocase
from ext.http.head cimport BODY_CHUNKED, BODY_LENGTH, field, head_find
from ext.http.names cimport NAME_HTTP2_SETTINGS
from ext.loop.timers cimport timer_drop, timer_set
from ext.mux.h1_server cimport SERVER_UPGRADE, h1_server_close, h1_server_forget, h1_server_take
from ext.mux.h1_wire cimport wire_leave, wire_next, wire_view
from ext.mux.h2_server cimport h2_server_upgrade
from ext.transport.transport cimport IO_AGAIN


cdef bint h1_upgrade_wanted(const h1_server* c, const head* h) noexcept nogil:
    """The request asks for h2c, and can be answered so. Inside TLS, ALPN is the way."""
    if not h.wants_upgrade or not span_is_nocase(h.upgrade, b"h2c", 3) or c.wire.t.tls is not NULL:
        return False
    if h.framing == BODY_CHUNKED or h.expects_continue or head_find(h, NAME_HTTP2_SETTINGS) is NULL:
        return False
    if (h.repeated >> NAME_HTTP2_SETTINGS) & 1:
        return False
    return h.framing != BODY_LENGTH or h.length <= UPGRADE_BODY_MAX


cdef void h1_upgrade_begin(h1_server* c, head* h, arena* mem) noexcept nogil:
    """Takes the head and its arena; the body follows by h1_upgrade_read, in no more time than a head has."""
    c.state = SERVER_UPGRADE
    c.upgrade_request = h
    c.upgrade_mem = mem
    c.upgrade_have = 0
    c.upgrade_body = NULL
    if h.framing == BODY_LENGTH and h.length:
        c.upgrade_body = <char*>arena_take(mem, <size_t>h.length)
        if c.upgrade_body is NULL:
            h1_server_close(c, True)
        elif c.home.bounds.head_timeout_ns:
            timer_set(&c.home.wheel, &c.clock, c.home.now_ns + c.home.bounds.head_timeout_ns)
    else:
        switch_over(c)


cdef int h1_upgrade_read(h1_server* c) noexcept nogil:
    """Gathers the body; AGAIN when more must come."""
    cdef size_t need = <size_t>c.upgrade_request.length - c.upgrade_have
    cdef char* at
    cdef size_t n
    cdef ssize_t got = wire_next(&c.wire, &at, &n)
    if got == IO_AGAIN:
        return AGAIN
    if got <= 0:
        h1_server_close(c, False)
        return AGAIN
    if n < need:
        need = n
    memcpy(c.upgrade_body + c.upgrade_have, at, need)
    c.upgrade_have += need
    if wire_leave(&c.wire, at + need, n - need) < 0:
        h1_server_close(c, True)
        return AGAIN
    if c.upgrade_have == <size_t>c.upgrade_request.length:
        switch_over(c)
    return OK


cdef void switch_over(h1_server* c) noexcept nogil:
    """The connection becomes HTTP/2's, or the request an ordinary one when its settings make no sense."""
    cdef const field* settings = head_find(c.upgrade_request, NAME_HTTP2_SETTINGS)
    cdef arena* mem = c.upgrade_mem
    cdef head* h = c.upgrade_request
    cdef char* body = c.upgrade_body
    cdef size_t body_n = c.upgrade_have
    cdef char* early
    cdef size_t early_n
    timer_drop(&c.clock)
    wire_view(&c.wire, &early, &early_n)
    c.upgrade_mem = NULL
    c.upgrade_request = NULL
    if h2_server_upgrade(
        c.home, c.wire.t, settings.value.at, settings.value.len, h, mem, body, body_n, early, early_n
    ) < 0:
        stay(c, h, mem, body, body_n)
        return
    h1_server_forget(c)


cdef void stay(h1_server* c, head* h, arena* mem, const char* body, size_t body_n) noexcept nogil:
    """An ordinary request after all: its body goes back in front of what was read behind it."""
    cdef char* early
    cdef size_t early_n
    cdef char* whole
    if body_n and wire_view(&c.wire, &early, &early_n):
        whole = <char*>arena_take(mem, body_n + early_n)
        if whole is NULL:
            arena_free(mem)
            h1_server_close(c, True)
            return
        memcpy(whole, body, body_n)
        memcpy(whole + body_n, early, early_n)
        wire_leave(&c.wire, NULL, 0)
        body = whole
        body_n += early_n
    if body_n and wire_leave(&c.wire, body, body_n) < 0:
        arena_free(mem)
        h1_server_close(c, True)
        return
    h1_server_take(c, OK, h, mem)


cdef void h1_upgrade_drop(h1_server* c) noexcept nogil:
    """The connection ends while the body is being gathered."""
    if c.upgrade_mem is not NULL:
        arena_free(c.upgrade_mem)
        c.upgrade_mem = NULL
