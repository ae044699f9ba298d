# cython: language_level=3
"""h2_guard: what one HTTP/2 peer may send that costs us more than it costs the peer.

Every frame passes h2_guard_frame before nghttp2 looks at it. What is counted:

    RST_STREAM     h2_resets_max in a period, beyond the streams that ended well;
                   streams that the peer makes us reset count as well
    PING           h2_control_max in a period, beyond one for each DATA frame
                   (gRPC measures the line that way)
    SETTINGS       h2_control_max in a period
    WINDOW_UPDATE  WINDOW_START, two for each stream, WINDOWS_PER_DATA for each DATA frame of ours
    PRIORITY       PRIORITY_START and as many for each stream
    empty frames   EMPTY_MAX in a row: DATA, HEADERS or CONTINUATION that neither carry nor end anything
    header block   twice head_max on the wire, and a CONTINUATION for each 256 bytes, at least 16
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ext.mux.nghttp2 cimport nghttp2_frame_hd
from ext.transport.worker cimport limits

cdef enum:
    WINDOW_START = 200
    WINDOWS_PER_DATA = 20
    PRIORITY_START = 200
    EMPTY_MAX = 16
    NO_CAUSE = -1

cdef struct h2_guard:
    uint64_t period_end_ns   # when the counts below begin anew
    int64_t resets           # of this period, less the streams that ended well
    int64_t pings            # of this period, less the DATA frames
    int64_t settings         # of this period
    int64_t windows          # WINDOW_UPDATE frames that are still allowed
    int64_t priorities       # PRIORITY frames that are still allowed
    uint32_t empties         # in a row
    uint32_t block_bytes     # of the header block that is coming in
    uint32_t block_frames    # CONTINUATION frames of it
    int cause                # bound_cause of ext.stats.shard that was hit; NO_CAUSE

cdef void h2_guard_init(h2_guard* g) noexcept nogil
cdef bint h2_guard_frame(h2_guard* g, const nghttp2_frame_hd* hd, const limits* bounds, uint64_t now_ns) noexcept nogil
cdef bint h2_guard_reset(h2_guard* g, const limits* bounds) noexcept nogil


cdef inline void h2_guard_data_sent(h2_guard* g) noexcept nogil:
    """A DATA frame of ours: the peer may answer with window updates."""
    g.windows += WINDOWS_PER_DATA
    g.pings -= 1


cdef inline void h2_guard_opened(h2_guard* g) noexcept nogil:
    g.windows += 2
    g.priorities += PRIORITY_START


cdef inline void h2_guard_ended(h2_guard* g) noexcept nogil:
    """A stream ended well."""
    g.resets -= 1
