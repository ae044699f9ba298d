# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h2_upgrade: bodies; the story is in h2_upgrade.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
Takes      a request head and all that has been read from its beginning on.
Gives      an HTTP/2 session in place of the HTTP/1 connection, or no.
"""

from ext.base.arena cimport arena, arena_free, arena_new
from ext.base.result cimport AGAIN, DONE, OK
from ext.base.span cimport span_is_nocase
from ext.http.head cimport BODY_LENGTH, BODY_NONE, HTTP_1_1, field, head, head_find, head_keep
from ext.http.names cimport NAME_HTTP2_SETTINGS
from ext.mux.h2_server cimport h2_server_upgrade
from ext.transport.transport cimport transport
from ext.transport.worker cimport worker


cdef bint is_asked_for(const transport* t, const head* h) noexcept nogil:
    if t.tls is not NULL or h.version != HTTP_1_1 or not span_is_nocase(h.upgrade, b"h2c", 3) or h.expects_continue:
        return False
    if head_find(h, NAME_HTTP2_SETTINGS) is NULL or (h.repeated >> NAME_HTTP2_SETTINGS) & 1:
        return False
    return h.framing == BODY_NONE or (h.framing == BODY_LENGTH and h.length <= UPGRADE_BODY_MAX)


cdef int h2_upgrade(
    worker* w, transport* t, const head* h, const char* at, size_t n, size_t used
) noexcept nogil:
    """Takes the transport over where the request asks for it.

    at, n    the head and what was read behind it
    used     bytes of the head
    Returns  OK: the transport is another's now; AGAIN: call again with the whole body;
             DONE: the request stays HTTP/1.1.
    """
    cdef size_t length = <size_t>h.length if h.framing == BODY_LENGTH else 0
    cdef const field* settings
    cdef arena* mem
    cdef head* kept
    if not is_asked_for(t, h):
        return DONE
    if n - used < length:
        return AGAIN
    mem = arena_new(&w.arenas)
    if mem is NULL:
        return DONE
    kept = head_keep(h, at, used, mem)
    if kept is not NULL:
        settings = head_find(kept, NAME_HTTP2_SETTINGS)
        at += used
        if h2_server_upgrade(
            w, t, settings.value.at, settings.value.len, kept, mem, at, length, at + length, n - used - length
        ) == OK:
            return OK
    arena_free(mem)
    return DONE
