# cython: language_level=3
"""routes: hosts, their paths, and where requests for them go.

    host_table ──► host_page[256] ──► host_entry (a name) ──► host_routes ──► route_path ──► route_split

A table is immutable once a plan has it. The next one shares every page that
does not change, so a change costs one page and the list of pages, whatever the
number of hosts. Names that have the same routes may share them.

A split names its target; the plan's directory has it. So routes outlive a
change of a target's terms, and endpoints that come and go do not touch them.

Who may write
    shares                     any thread, by add
    a page with one share      the thread that holds the GIL, while it builds a table
    the rest                   nobody, once it is made
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from ext.proxy.text cimport text

cdef enum:
    HOST_PAGES = 256         # about 60 names each, with 15,000
    HOST_BYTES_MAX = 255     # of a name (RFC 1035 2.3.4); longer ones only have the routes of `*`

cdef struct header_rule:
    text* name               # shares
    text* value              # shares

cdef struct route_split:
    text* target             # shares: a name in the plan's directory
    text* host               # borrows: the path's
    header_rule* sets        # borrows: of the same host_routes; those of the path have won already
    uint64_t set_ids         # bit n: the field with id n is among the sets
    uint32_t until           # percents of this split and of those before it
    uint16_t set_count
    bint set_others          # there are sets whose name has no id

cdef struct route_path:
    text* prefix             # shares
    text* host               # shares: in place of Host; NULL: as it came
    header_rule* matches     # borrows: of the same host_routes
    route_split* splits      # borrows: likewise
    uint16_t match_count
    uint16_t split_count
    bint redirect            # to https, from cleartext listeners
    bint local               # for private listeners only

cdef struct host_routes:
    uint64_t shares
    text* hash               # shares: of the ingress, for K-Network-Hash
    bint local               # all of its paths are: nobody else sees the host
    int path_count
    route_path* paths        # owns: one piece of memory, with everything behind it
    int split_count          # of all paths
    route_split* splits      # borrows: that memory
    int rule_count
    header_rule* rules       # borrows: that memory

cdef struct host_entry:
    uint64_t shares
    uint64_t hash            # of the name, ext.base.lower
    host_routes* to          # shares
    uint16_t len
    bint wild                # the name is a suffix that begins with a dot
    char name[1]             # inline: len bytes, lower case

cdef struct host_page:
    uint64_t shares
    uint32_t mask            # rows less one; a power of two less one
    uint32_t count
    host_entry* rows[1]      # shares: by hash; NULL: free

cdef struct host_table:
    uint64_t shares
    uint64_t count
    uint64_t wild_count
    host_page* pages[256]    # shares: by the lower bits of the hash; NULL: none

cdef host_routes* host_routes_new(int paths, int splits, int rules) noexcept nogil
cdef host_routes* host_routes_share(host_routes* r) noexcept nogil
cdef void host_routes_drop(host_routes* r) noexcept nogil
cdef host_table* host_table_new(const host_table* before) noexcept nogil
cdef host_table* host_table_share(host_table* t) noexcept nogil
cdef void host_table_drop(host_table* t) noexcept nogil
cdef bint host_table_set(host_table* t, const char* name, size_t n, bint wild, host_routes* to) noexcept nogil
cdef host_routes* host_table_find(
    const host_table* t, const char* name, size_t n, bint wild
) noexcept nogil
