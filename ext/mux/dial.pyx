# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""dial: bodies; the story is in dial.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
"""

from ext.http.head cimport HTTP_2
from ext.mux.h1_client cimport h1_client_open
from ext.mux.h2_client cimport h2_client_open


cdef bint dial_is_shared(uint8_t version) noexcept nogil:
    """Connections of that version carry many streams at once."""
    return version == HTTP_2


cdef client* dial_open(worker* w, transport* t, uint8_t version) noexcept nogil:
    """Takes a transport over that is connected or about to be; NULL, and the transport closed, without memory."""
    return h2_client_open(w, t) if version == HTTP_2 else h1_client_open(w, t)
