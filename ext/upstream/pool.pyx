# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""pool: bodies; the story is in pool.pxd.

Floor      upstream: may cimport ext.base, stats, loop, admission, transport, mux.
"""

from libc.stdint cimport uint8_t, uint64_t

from ext.base.clock cimport NS_PER_S
from ext.base.faults cimport NO_MEMORY
from ext.base.links cimport links, links_append, links_empty, links_prepend, links_remove
from ext.loop.timers cimport timer, timer_drop, timer_is_set, timer_set
from ext.mux.client cimport client
from ext.mux.dial cimport dial_is_shared, dial_open
from ext.stats.shard cimport counter_add
from ext.transport.tcp cimport tcp_connect
from ext.transport.transport cimport transport
from ext.upstream.endpoint cimport endpoint_drop, endpoint_learn, endpoint_prove, endpoint_share, endpoint_trusts

cdef uint64_t IDLE_MAX_NS = 90 * <uint64_t>NS_PER_S   # as Go's transport has it (spec 1.11)


cdef void pool_attach(pool* p, worker* w) noexcept nogil:
    """In the worker's thread, before the first use."""
    if p.home is NULL:
        p.home = w
        p.sweep.on_fire = on_sweep


cdef stream* pool_take(pool* p, uint8_t version, pool_wish wish, int* fault) noexcept nogil:
    """A stream on a connection that fits the wish, perhaps one that is still connecting; NULL with *fault."""
    cdef stream* s
    if wish != POOL_FRESH:
        s = take_shared(p, wish) if dial_is_shared(version) else take_idle(p, wish)
        if s is not NULL:
            counter_add(p.home.stats.pool_hits, 1)
            return s
    counter_add(p.home.stats.pool_misses, 1)
    return dial(p, version, fault)


cdef uint64_t idle_of(pool* p, const client* c) noexcept nogil:
    return p.home.now_ns - c.idle_since_ns if p.home.now_ns > c.idle_since_ns else 0


cdef stream* take_idle(pool* p, pool_wish wish) noexcept nogil:
    cdef client* c
    cdef stream* s
    cdef uint64_t idled_ns
    while not links_empty(&p.idle):
        c = <client*>p.idle.next
        if wish == POOL_TRUSTED and not endpoint_trusts(p.to, idle_of(p, c), c.keep_alive_ns):
            return NULL     # those behind it have been idle for longer
        links_remove(&c.pool_link)
        p.idle_count -= 1
        idled_ns = idle_of(p, c)
        endpoint_prove(p.to, idled_ns)
        s = c.ops.open(c)
        if s is not NULL:
            s.idled_ns = idled_ns
            return s
    return NULL


cdef stream* take_shared(pool* p, pool_wish wish) noexcept nogil:
    cdef links* l = p.shared.next
    cdef client* c
    cdef stream* s
    cdef uint64_t idled_ns
    cdef bint outlived
    while l != &p.shared:
        c = <client*>l
        l = l.next
        if not c.usable or c.running >= c.capacity:
            continue
        idled_ns = 0
        if c.idle_since_ns:
            idled_ns = idle_of(p, c)
            outlived = endpoint_prove(p.to, idled_ns)
            if wish == POOL_TRUSTED and not endpoint_trusts(p.to, idled_ns, 0):
                if outlived:
                    counter_add(p.home.stats.pool_closed_early, 1)
                    leave(p, c)
                continue
        s = c.ops.open(c)
        if s is not NULL:
            s.idled_ns = idled_ns
            return s
    return NULL


cdef stream* dial(pool* p, uint8_t version, int* fault) noexcept nogil:
    """A new connection, and a stream on it that sends as soon as it stands."""
    cdef transport* t = tcp_connect(p.home, p.to.address, p.to.port, fault)
    cdef client* c
    cdef stream* s
    if t is NULL:
        return NULL
    c = dial_open(p.home, t, version)
    fault[0] = NO_MEMORY
    if c is NULL:
        return NULL
    c.pool = p
    c.on_change = on_change
    endpoint_share(p.to)
    counter_add(p.home.stats.upstream_conns_opened, 1)
    if c.shared:
        links_append(&p.shared, &c.pool_link)
    s = c.ops.open(c)
    if s is NULL:
        c.ops.close(c)
    return s


cdef void leave(pool* p, client* c) noexcept nogil:
    """Closes a connection by our own will."""
    links_remove(&c.pool_link)
    c.on_change = NULL
    counter_add(p.home.stats.upstream_conns_closed, 1)
    c.ops.close(c)
    endpoint_drop(p.to)


cdef void on_change(client* c) noexcept nogil:
    """A stream ended, or the connection did."""
    cdef pool* p = <pool*>c.pool
    cdef bint was_idle
    if c.closed:
        was_idle = c.idle_since_ns != 0
        if was_idle and not c.shared:
            p.idle_count -= 1
        links_remove(&c.pool_link)
        counter_add(p.home.stats.upstream_conns_closed, 1)
        if was_idle:
            counter_add(p.home.stats.pool_closed_by_peer, 1)
            endpoint_learn(p.to, idle_of(p, c))
        endpoint_drop(p.to)
        return
    if c.idle_since_ns == 0:
        return
    if p.left or (not c.shared and p.idle_count >= p.to.idle_max):
        leave(p, c)
        return
    if not c.shared:
        links_prepend(&p.idle, &c.pool_link)
        p.idle_count += 1
    if not timer_is_set(&p.sweep):
        endpoint_share(p.to)
        timer_set(&p.home.wheel, &p.sweep, p.home.now_ns + IDLE_MAX_NS)


cdef void on_sweep(timer* t, uint64_t now_ns) noexcept nogil:
    """Leaves what has been idle for too long; comes back for the rest."""
    cdef pool* p = <pool*>t.owner
    cdef uint64_t next_ns = 0
    cdef links* l = p.idle.prev
    cdef client* c
    while l != &p.idle:
        c = <client*>l
        l = l.prev
        if c.idle_since_ns + IDLE_MAX_NS > now_ns:
            next_ns = c.idle_since_ns + IDLE_MAX_NS
            break
        p.idle_count -= 1
        counter_add(p.home.stats.pool_closed_early, 1)
        leave(p, c)
    l = p.shared.next
    while l != &p.shared:
        c = <client*>l
        l = l.next
        if c.running or c.idle_since_ns == 0:
            continue
        if c.idle_since_ns + IDLE_MAX_NS <= now_ns:
            counter_add(p.home.stats.pool_closed_early, 1)
            leave(p, c)
        elif next_ns == 0 or c.idle_since_ns + IDLE_MAX_NS < next_ns:
            next_ns = c.idle_since_ns + IDLE_MAX_NS
    if next_ns:
        timer_set(&p.home.wheel, &p.sweep, next_ns)
    else:
        endpoint_drop(p.to)


cdef void close_all(pool* p, bint running) noexcept nogil:
    """Connections without an exchange; those with one as well, if `running`."""
    cdef links* l
    cdef client* c
    while not links_empty(&p.idle):
        p.idle_count -= 1
        leave(p, <client*>p.idle.next)
    l = p.shared.next
    while l != &p.shared:
        c = <client*>l
        l = l.next
        if running or c.running == 0:
            leave(p, c)
    if timer_is_set(&p.sweep):
        timer_drop(&p.sweep)
        endpoint_drop(p.to)


cdef void pool_leave(pool* p) noexcept nogil:
    """The endpoint has left: closes what is idle. What runs goes on, and its connection ends with it."""
    p.left = True
    close_all(p, False)


cdef void pool_close_idle(pool* p) noexcept nogil:
    """Before the worker stops, and after its exchanges have ended: connections that still say goodbye, too."""
    close_all(p, True)
