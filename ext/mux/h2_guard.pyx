# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""h2_guard: bodies; the story is in h2_guard.pxd.

Floor      mux: may cimport ext.base, ext.stats, ext.loop, ext.http, ext.transport.
Takes      frame headers in the order of their arrival.
Gives      False when a bound is hit; `cause` says which.
Never      talks to the peer.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from ext.mux.nghttp2 cimport (
    NGHTTP2_CONTINUATION,
    NGHTTP2_DATA,
    NGHTTP2_FLAG_ACK,
    NGHTTP2_FLAG_END_HEADERS,
    NGHTTP2_FLAG_END_STREAM,
    NGHTTP2_HEADERS,
    NGHTTP2_PING,
    NGHTTP2_PRIORITY,
    NGHTTP2_PRIORITY_UPDATE,
    NGHTTP2_RST_STREAM,
    NGHTTP2_SETTINGS,
    NGHTTP2_WINDOW_UPDATE,
    nghttp2_frame_hd,
)
from ext.stats.shard cimport (
    BOUND_H2_CONTINUATION,
    BOUND_H2_EMPTY,
    BOUND_H2_PINGS,
    BOUND_H2_RESETS,
    BOUND_H2_SETTINGS,
    BOUND_H2_WINDOW,
)
from ext.transport.worker cimport limits

cdef enum:
    CONTINUATION_BYTES = 256   # a peer that cuts its blocks smaller means to cost us
    CONTINUATION_START = 16


cdef void h2_guard_init(h2_guard* g) noexcept nogil:
    memset(g, 0, sizeof(h2_guard))
    g.windows = WINDOW_START
    g.priorities = PRIORITY_START
    g.cause = NO_CAUSE


cdef bint hit(h2_guard* g, int cause) noexcept nogil:
    g.cause = cause
    return False


cdef bint h2_guard_reset(h2_guard* g, const limits* bounds) noexcept nogil:
    """A stream ended by a reset that the peer sent, or that its mistake made us send."""
    g.resets += 1
    return g.resets <= <int>bounds.h2_resets_max or hit(g, BOUND_H2_RESETS)


cdef bint block_part(h2_guard* g, const nghttp2_frame_hd* hd, const limits* bounds) noexcept nogil:
    """HEADERS or CONTINUATION."""
    if hd.type == NGHTTP2_HEADERS:
        g.block_bytes = 0
        g.block_frames = 0
    else:
        g.block_frames += 1
    g.block_bytes += <uint32_t>hd.length
    if g.block_bytes > 2 * bounds.head_max:
        return hit(g, BOUND_H2_CONTINUATION)
    if g.block_frames > CONTINUATION_START + g.block_bytes // CONTINUATION_BYTES:
        return hit(g, BOUND_H2_CONTINUATION)
    return True


cdef bint h2_guard_frame(h2_guard* g, const nghttp2_frame_hd* hd, const limits* bounds, uint64_t now_ns) noexcept nogil:
    """Whether the peer may send this frame."""
    cdef int kind = hd.type
    if kind == NGHTTP2_DATA or kind == NGHTTP2_HEADERS or kind == NGHTTP2_CONTINUATION:
        if hd.length or hd.flags & (NGHTTP2_FLAG_END_STREAM | NGHTTP2_FLAG_END_HEADERS):
            g.empties = 0
        else:
            g.empties += 1
            if g.empties > EMPTY_MAX:
                return hit(g, BOUND_H2_EMPTY)
        if kind == NGHTTP2_DATA:
            g.pings -= 1
            return True
        return block_part(g, hd, bounds)
    if now_ns >= g.period_end_ns:
        g.period_end_ns = now_ns + bounds.h2_period_ns
        g.resets = 0
        g.pings = 0
        g.settings = 0
    if kind == NGHTTP2_WINDOW_UPDATE:
        g.windows -= 1
        return g.windows >= 0 or hit(g, BOUND_H2_WINDOW)
    if kind == NGHTTP2_PRIORITY or kind == NGHTTP2_PRIORITY_UPDATE:
        g.priorities -= 1
        return g.priorities >= 0 or hit(g, BOUND_H2_WINDOW)
    if kind == NGHTTP2_RST_STREAM:
        return h2_guard_reset(g, bounds)
    if kind == NGHTTP2_PING:
        g.pings += 1
        return g.pings <= <int>bounds.h2_control_max or hit(g, BOUND_H2_PINGS)
    if kind == NGHTTP2_SETTINGS and not hd.flags & NGHTTP2_FLAG_ACK:
        g.settings += 1
        return g.settings <= <int>bounds.h2_control_max or hit(g, BOUND_H2_SETTINGS)
    return True
