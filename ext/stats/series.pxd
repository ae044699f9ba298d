# cython: language_level=3
"""series: label sets of one worker, each with its histograms.

A label set is one 64-bit key, so finding its record is one multiplication and
one comparison, and none at all when it is the one that was used last. Records
never move and are never freed while the worker runs; a reader follows the
chunks and needs no lock. What comes when `series_max` records exist is counted
under the key of its kind whose every other field is zero.

    key   63 62 61 .. 58  57   56 .. 52   51 .. 42  41 .. 32   31 .. 16  15 .. 0
           kind  method   tls  version    status    fault      host      tag

Who may write   the worker that owns it; any thread may read. `seq` of a record
is odd while the worker writes it, as in ext.stats.busy.

Three kinds: what callers saw (SERVER), one upstream call (CLIENT), and the
part of a request behind the waiting room (INVOCATION). A record of any kind
has room for three histograms; the kinds that have fewer leave them at zero.
"""

from libc.stdint cimport uint8_t, uint16_t, uint64_t

from ext.base.span cimport span
from ext.stats.histogram cimport durations, sizes
from ext.stats.labels cimport labels

cdef enum series_kind:
    SERIES_SERVER = 0
    SERIES_CLIENT = 1
    SERIES_INVOCATION = 2
    SERIES_KINDS = 3

cdef enum:
    SERIES_CHUNK = 8           # records that are allocated together, 5 KiB
    SERIES_MAX = 500           # records of one worker, 280 KiB: callers can fill it, and a scrape of all is 9 MiB

cdef struct outcome:
    bint has_server            # which of the three are recorded
    bint has_client
    bint has_invocation
    bint is_tls                # SERVER: the caller's connection
    uint8_t method             # SERVER, CLIENT: method_id of ext.http.head
    uint8_t version            # SERVER: the caller's
    uint8_t client_version     # CLIENT: the upstream's
    uint16_t status            # SERVER: what the caller was told
    uint16_t client_status     # CLIENT: what the upstream said; 0 when it failed
    uint16_t client_fault      # CLIENT: why it failed; 0 when it did not
    uint16_t invocation_status  # INVOCATION
    span host                  # borrows: for the call; SERVER: host and port as received
    span tag                   # borrows: for the call; SERVER, CLIENT
    uint64_t duration_ns       # SERVER: head read to last byte written
    uint64_t client_ns         # CLIENT: sent to response head
    uint64_t invocation_ns     # INVOCATION: admitted to end
    uint64_t request_bytes     # SERVER, CLIENT: body
    uint64_t response_bytes    # SERVER: body

cdef struct series_record:
    uint64_t seq
    uint64_t key
    durations duration         # inline
    sizes request_size         # inline
    sizes response_size        # inline

cdef struct series_chunk:
    series_chunk* next         # owns: the chunk made after this one; stored with release
    uint64_t count             # records in use; stored with release
    series_record records[8]   # inline

cdef struct series:
    series_chunk first         # inline
    series_chunk* newest       # borrows: the last of the chain
    series_record** index      # owns: hash table; the records are borrowed from the chunks
    uint64_t mask              # index entries - 1
    uint64_t count             # records
    uint64_t count_max
    series_record* last[3]     # borrows: by kind, the record that was used last
    labels hosts               # inline
    labels tags                # inline

cdef int series_init(series* s, int labels_max, int series_max) noexcept nogil
cdef void series_clear(series* s) noexcept nogil
cdef void series_add(series* s, const outcome* o) noexcept nogil
cdef void series_read(const series* s, dict into)
