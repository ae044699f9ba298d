# cython: language_level=3
"""h2_server: downstream HTTP/2, many streams on one connection, an exchange for each."""

from ext.base.arena cimport arena
from ext.http.head cimport head
from ext.transport.transport cimport transport
from ext.transport.worker cimport worker

cdef enum:
    SETTINGS_TEXT_MAX = 512   # of HTTP2-Settings, base64

cdef int h2_server_open(worker* w, transport* t, const char* early, size_t n) noexcept nogil
cdef void h2_servers_drain(worker* w) noexcept nogil
cdef void h2_servers_close_idle(worker* w) noexcept nogil
cdef void h2_servers_end(worker* w) noexcept nogil
cdef int h2_server_upgrade(
    worker* w, transport* t, const char* settings, size_t settings_len, head* request, arena* mem,
    const char* body, size_t body_len, const char* early, size_t early_len,
) noexcept nogil
