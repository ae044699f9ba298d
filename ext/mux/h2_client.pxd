# cython: language_level=3
"""h2_client: upstream HTTP/2, one connection of ours that carries many exchanges at once.

Requests may be opened before the connection stands; they go out with it. Until
the peer's SETTINGS have come it is taken to allow STREAMS_BEFORE_SETTINGS.
After its GOAWAY no stream is opened, those above its last id end with
STREAM_REFUSED, and the others go on.
"""

from ext.mux.client cimport client
from ext.mux.h2_session cimport h2_session
from ext.transport.transport cimport transport
from ext.transport.worker cimport worker

cdef struct h2_client:
    client c             # inline: first
    h2_session session   # inline: second

cdef client* h2_client_open(worker* w, transport* t) noexcept nogil
