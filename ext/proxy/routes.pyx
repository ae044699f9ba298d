# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""routes: bodies; the story is in routes.pxd.

Floor      proxy: may cimport every floor below.
"""

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from ext.base.atomics cimport u64_add_full, u64_add_relaxed, u64_load_full
from ext.base.lower cimport lower_equals, lower_hash
from ext.proxy.text cimport text, text_drop

cdef enum:
    PAGE_ROWS = 8            # of a page with one name
    PAGE_SHIFT = 8           # bits of the hash that choose the page


# ── routes of a host ──────────────────────────────────────────────────────

cdef host_routes* host_routes_new(int paths, int splits, int rules) noexcept nogil:
    """Room for that many in all, zeroed, for the caller to fill in; NULL without memory. One share."""
    cdef host_routes* r = <host_routes*>calloc(1, sizeof(host_routes))
    if r is NULL:
        return NULL
    r.paths = <route_path*>calloc(
        1,
        sizeof(route_path) * <size_t>paths + sizeof(route_split) * <size_t>splits
        + sizeof(header_rule) * <size_t>rules + 1,
    )
    if r.paths is NULL:
        free(r)
        return NULL
    r.shares = 1
    r.path_count = paths
    r.split_count = splits
    r.rule_count = rules
    r.splits = <route_split*>(r.paths + paths)
    r.rules = <header_rule*>(r.splits + splits)
    return r


cdef host_routes* host_routes_share(host_routes* r) noexcept nogil:
    u64_add_relaxed(&r.shares, 1)
    return r


cdef void let_go(text* t) noexcept nogil:
    if t is not NULL:
        text_drop(t)


cdef void host_routes_drop(host_routes* r) noexcept nogil:
    """The last share frees; from any thread."""
    cdef int i
    if u64_add_full(&r.shares, <uint64_t>-1) != 1:
        return
    let_go(r.hash)
    for i in range(r.path_count):
        let_go(r.paths[i].prefix)
        let_go(r.paths[i].host)
    for i in range(r.split_count):
        let_go(r.splits[i].target)
    for i in range(r.rule_count):
        let_go(r.rules[i].name)
        let_go(r.rules[i].value)
    free(r.paths)
    free(r)


# ── names ─────────────────────────────────────────────────────────────────

cdef host_entry* entry_new(const char* name, size_t n, bint wild, uint64_t hash, host_routes* to) noexcept nogil:
    cdef host_entry* e = <host_entry*>malloc(sizeof(host_entry) + n)
    if e is NULL:
        return NULL
    e.shares = 1
    e.hash = hash
    e.to = host_routes_share(to)
    e.len = <uint16_t>n
    e.wild = wild
    memcpy(e.name, name, n)
    return e


cdef void entry_drop(host_entry* e) noexcept nogil:
    if u64_add_full(&e.shares, <uint64_t>-1) == 1:
        host_routes_drop(e.to)
        free(e)


cdef inline bint entry_is(const host_entry* e, uint64_t hash, const char* name, size_t n, bint wild) noexcept nogil:
    return e.hash == hash and e.len == n and e.wild == wild and lower_equals(name, e.name, n)


cdef host_page* page_new(uint32_t count) noexcept nogil:
    """Room for that many names and a half more."""
    cdef host_page* p
    cdef uint32_t rows = PAGE_ROWS
    while rows < 2 * count:
        rows *= 2
    p = <host_page*>calloc(1, sizeof(host_page) + sizeof(host_entry*) * rows)
    if p is not NULL:
        p.shares = 1
        p.mask = rows - 1
    return p


cdef void page_drop(host_page* p) noexcept nogil:
    cdef uint32_t i
    if p is NULL or u64_add_full(&p.shares, <uint64_t>-1) != 1:
        return
    for i in range(p.mask + 1):
        if p.rows[i] is not NULL:
            entry_drop(p.rows[i])
    free(p)


cdef void page_put(host_page* p, host_entry* e) noexcept nogil:
    """Takes the caller's share; the name is not in there, and there is room."""
    cdef uint32_t i = <uint32_t>(e.hash >> PAGE_SHIFT) & p.mask
    while p.rows[i] is not NULL:
        i = (i + 1) & p.mask
    p.rows[i] = e
    p.count += 1


cdef host_entry* page_find(const host_page* p, uint64_t hash, const char* name, size_t n, bint wild) noexcept nogil:
    cdef uint32_t i = <uint32_t>(hash >> PAGE_SHIFT) & p.mask
    cdef host_entry* e = p.rows[i]
    while e is not NULL and not entry_is(e, hash, name, n, wild):
        i = (i + 1) & p.mask
        e = p.rows[i]
    return e


cdef host_page* page_without(const host_page* p, const host_entry* gone, uint32_t more) noexcept nogil:
    """A page of one's own with the names of another but one, and room for more."""
    cdef host_page* made = page_new((p.count if p is not NULL else 0) + more)
    cdef uint32_t i
    if made is NULL or p is NULL:
        return made
    for i in range(p.mask + 1):
        if p.rows[i] is not NULL and p.rows[i] is not gone:
            u64_add_relaxed(&p.rows[i].shares, 1)
            page_put(made, p.rows[i])
    return made


# ── tables ────────────────────────────────────────────────────────────────

cdef host_table* host_table_new(const host_table* before) noexcept nogil:
    """With the hosts of another, if there is one; NULL without memory. One share."""
    cdef host_table* t = <host_table*>calloc(1, sizeof(host_table))
    cdef int i
    if t is NULL:
        return NULL
    if before is not NULL:
        t[0] = before[0]
        for i in range(HOST_PAGES):
            if t.pages[i] is not NULL:
                u64_add_relaxed(&t.pages[i].shares, 1)
    t.shares = 1
    return t


cdef host_table* host_table_share(host_table* t) noexcept nogil:
    u64_add_relaxed(&t.shares, 1)
    return t


cdef void host_table_drop(host_table* t) noexcept nogil:
    cdef int i
    if u64_add_full(&t.shares, <uint64_t>-1) != 1:
        return
    for i in range(HOST_PAGES):
        page_drop(t.pages[i])
    free(t)


cdef bint host_table_set(host_table* t, const char* name, size_t n, bint wild, host_routes* to) noexcept nogil:
    """That name has these routes from now on, or, with NULL, none; while nobody else has the table.

    name   lower case; of a wildcard what follows the star.
    False  without memory; then nothing has changed.
    """
    cdef uint64_t hash = lower_hash(name, n)
    cdef host_page** place = &t.pages[hash & (HOST_PAGES - 1)]
    cdef host_page* p = place[0]
    cdef host_entry* old = page_find(p, hash, name, n, wild) if p is not NULL else NULL
    cdef host_entry* e = NULL
    if to is NULL and old is NULL:
        return True
    if to is not NULL:
        e = entry_new(name, n, wild, hash, to)
        if e is NULL:
            return False
    if p is NULL or old is not NULL or u64_load_full(&p.shares) > 1 or 4 * (p.count + 1) > 3 * (p.mask + 1):
        p = page_without(p, old, 1)
        if p is NULL:
            if e is not NULL:
                entry_drop(e)
            return False
        page_drop(place[0])
        place[0] = p
    if e is not NULL:
        page_put(p, e)
    t.count += (e is not NULL) - <uint64_t>(old is not NULL)
    if wild:
        t.wild_count += (e is not NULL) - <uint64_t>(old is not NULL)
    return True


cdef host_routes* host_table_find(const host_table* t, const char* name, size_t n, bint wild) noexcept nogil:
    """The routes of exactly that name, in any case; NULL when it has none."""
    cdef uint64_t hash = lower_hash(name, n)
    cdef const host_page* p = t.pages[hash & (HOST_PAGES - 1)]
    cdef const host_entry* e
    if p is NULL:
        return NULL
    e = page_find(p, hash, name, n, wild)
    return NULL if e is NULL else e.to
