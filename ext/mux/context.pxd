# cython: language_level=3
"""context: what the mux floor keeps for one worker, and how it tells of a new stream."""

from ext.base.links cimport links
from ext.base.slab cimport slab
from ext.http.h1_parse cimport h1_limits
from ext.http.head cimport field
from ext.mux.stream cimport stream
from ext.transport.worker cimport worker

cdef struct mux_context:
    field* fields                # owns: the table that heads are parsed into
    h1_limits request_limits     # inline
    h1_limits response_limits    # inline
    slab servers                 # inline: HTTP/1 server connections
    slab clients                 # inline: HTTP/1 client connections
    slab h2_streams              # inline
    links h2_servers             # inline: HTTP/2 server connections, for the drain
    # A request is about to come on this stream: the owner sets `events` and `owner`.
    void (*on_stream)(worker* w, stream* s) noexcept nogil


cdef inline mux_context* mux_of(worker* w) noexcept nogil:
    return <mux_context*>w.mux
