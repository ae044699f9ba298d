# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""relay: bodies; the story is in relay.pxd.

Floor      proxy: may cimport every floor below.
"""

from libc.stdint cimport int64_t

from ext.base.chain cimport block, block_at, chain_append, chain_clear
from ext.base.faults cimport BAD_UPGRADE, CONNECT_REFUSED, TOO_MANY_INTERIM
from ext.base.result cimport AGAIN, OK
from ext.base.span cimport span_equals_nocase, span_starts
from ext.http.head cimport field, head, head_find
from ext.http.names cimport NAME_PROXY_STATUS
from ext.loop.timers cimport timer_drop
from ext.proxy.choice cimport choice_keeps, choice_may_move
from ext.proxy.exchange cimport (
    EXCHANGE_CLOSING,
    EXCHANGE_OVER,
    EXCHANGE_RELAY,
    INTERIM_MAX,
    REPLAY_MAX,
    exchange,
    exchange_fail,
    exchange_finish,
    exchange_flow,
    exchange_go_elsewhere,
)
from ext.proxy.rewrite cimport rewrite_response, rewrite_trailers
from ext.stats.shard cimport BOUND_INTERIM, counter_add, shard_bound


# ── the request ───────────────────────────────────────────────────────────

cdef void keep_for_retry(exchange* x, const char* at, size_t n) noexcept nogil:
    """A copy of the body so far, only while a connection may still turn out dead, reused or new."""
    if not x.replayable or n == 0:
        return
    if (
        not ((x.up_taken and not x.tried) or choice_keeps(x))
        or x.replay.len + n > REPLAY_MAX
        or chain_append(&x.replay, at, n) < 0
    ):
        x.replayable = False
        chain_clear(&x.replay)


cdef void relay_replay(exchange* x) noexcept nogil:
    """Sends the body that was kept, on a new connection; it is kept on while that may be refused."""
    cdef block* b = x.replay.head
    cdef int result = OK
    while b is not NULL and result >= 0:
        result = x.up.ops.send_body(
            x.up, block_at(b), <size_t>(b.end - b.start), x.request_last and b.next is NULL
        )
        b = b.next
    if not choice_keeps(x):
        x.replayable = False
        chain_clear(&x.replay)
    if result < 0:
        exchange_fail(x, -result)


cdef void relay_down_body(void* owner, const char* at, size_t n, bint last) noexcept nogil:
    """A piece of the request's body, or bytes of an upgraded connection."""
    cdef exchange* x = <exchange*>owner
    cdef int result
    if x.state == EXCHANGE_OVER or x.up is NULL:
        return
    x.request_bytes += <int64_t>n
    if x.raw:
        x.moved_ns = x.home.now_ns
        x.raw_down_ended = x.raw_down_ended or last
    else:
        keep_for_retry(x, at, n)
        x.request_last = last
    result = x.up.ops.send_body(x.up, at, n, last)
    if result < 0:
        exchange_fail(x, -result)
    elif x.raw_down_ended and x.raw_up_ended:
        exchange_finish(x)
    elif last:
        x.up.ops.flush(x.up)
    elif result == AGAIN:
        x.up_full = True
        x.down.ops.want_body(x.down, False)


cdef void relay_down_trailers(void* owner, head* h) noexcept nogil:
    cdef exchange* x = <exchange*>owner
    cdef head out
    cdef int result
    if x.state == EXCHANGE_OVER or x.up is NULL:
        return
    x.request_last = True
    x.replayable = False
    result = rewrite_trailers(x, h, &out)
    if result == OK:
        result = x.up.ops.send_trailers(x.up, &out)
    if result < 0:
        exchange_fail(x, -result)
    else:
        x.up.ops.flush(x.up)


cdef void relay_up_room(void* owner) noexcept nogil:
    """What waited for the app has been taken: the caller may go on."""
    cdef exchange* x = <exchange*>owner
    if x.up_full and x.state != EXCHANGE_OVER:
        x.up_full = False
        x.down.ops.want_body(x.down, True)


# ── the answer ────────────────────────────────────────────────────────────

cdef void relay_up_head(void* owner, head* h, bint last) noexcept nogil:
    cdef exchange* x = <exchange*>owner
    cdef head out
    cdef int result
    if x.state == EXCHANGE_OVER:
        return
    if h.status < 200:
        interim(x, h)
        return
    if is_unread(x, h):
        exchange_go_elsewhere(x, CONNECT_REFUSED)
        return
    x.state = EXCHANGE_RELAY
    x.first_ns = x.home.now_ns
    x.moved_ns = x.home.now_ns
    x.status = h.status
    x.up_status = h.status
    x.waits_continue = False
    timer_drop(&x.pause)
    chain_clear(&x.replay)
    x.replayable = False
    result = rewrite_response(x, h, &out)
    if result == OK:
        x.head_sent = True
        result = x.down.ops.send_head(x.down, &out, last)
    if result < 0:
        exchange_fail(x, -result)
    elif last:
        exchange_finish(x)
    else:
        x.up.ops.want_body(x.up, True)


cdef bint is_unread(const exchange* x, const head* h) noexcept nogil:
    """A sidecar of ours says that its app takes no connection: the request may go to another endpoint."""
    cdef const field* said
    if h.status != 502 or not choice_may_move(x, CONNECT_REFUSED):
        return False
    said = head_find(h, NAME_PROXY_STATUS)
    return said is not NULL and span_starts(said.value, b"queue-proxy; error=connection_refused", 37)


cdef void interim(exchange* x, head* h) noexcept nogil:
    """A 1xx answer: an upgrade, the go-ahead for the body, or news for the caller."""
    cdef head out
    cdef int result
    if h.status == 101:
        upgrade(x, h)
        return
    x.interim += 1
    if x.interim > INTERIM_MAX:
        shard_bound(x.home.stats, BOUND_INTERIM)
        exchange_fail(x, TOO_MANY_INTERIM)
        return
    if h.status == 100 and not x.waits_continue:
        return      # the caller has had its 100, or never asked for one
    counter_add(x.home.stats.interim, 1)
    result = rewrite_response(x, h, &out)
    if result == OK:
        result = x.down.ops.send_head(x.down, &out, False)
    if result < 0:
        exchange_fail(x, -result)
    elif h.status == 100:
        x.waits_continue = False
        timer_drop(&x.pause)
        x.down.ops.want_body(x.down, True)


cdef void upgrade(exchange* x, head* h) noexcept nogil:
    """A 101 that answers what was asked turns both connections raw."""
    cdef head out
    cdef int result
    if not x.request.wants_upgrade or not span_equals_nocase(h.upgrade, x.request.upgrade):
        exchange_fail(x, BAD_UPGRADE)
        return
    result = rewrite_response(x, h, &out)
    if result == OK:
        x.head_sent = True
        x.status = 101
        x.up_status = 101
        result = x.down.ops.send_head(x.down, &out, False)
    if result < 0:
        exchange_fail(x, -result)
        return
    x.state = EXCHANGE_RELAY
    x.raw = True
    x.request_last = False
    x.replayable = False
    chain_clear(&x.replay)
    x.first_ns = x.home.now_ns
    x.moved_ns = x.home.now_ns
    counter_add(x.home.stats.upgrades, 1)
    exchange_flow(x)
    x.up.ops.turn_raw(x.up)
    x.down.ops.turn_raw(x.down)
    x.up.ops.want_body(x.up, True)
    x.down.ops.want_body(x.down, True)


cdef void relay_up_body(void* owner, const char* at, size_t n, bint last) noexcept nogil:
    """A piece of the answer's body, or bytes of an upgraded connection."""
    cdef exchange* x = <exchange*>owner
    cdef int result
    if x.state == EXCHANGE_OVER:
        return
    x.response_bytes += <int64_t>n
    x.moved_ns = x.home.now_ns
    result = x.down.ops.send_body(x.down, at, n, last)
    if result < 0:
        exchange_fail(x, -result)
    elif x.raw:
        x.raw_up_ended = x.raw_up_ended or last
        if x.raw_down_ended and x.raw_up_ended:
            exchange_finish(x)
        elif result == AGAIN:
            pause_up(x)
    elif last:
        exchange_finish(x)
    elif result == AGAIN:
        pause_up(x)


cdef void pause_up(exchange* x) noexcept nogil:
    x.down_full = True
    x.up.ops.want_body(x.up, False)


cdef void relay_up_trailers(void* owner, head* h) noexcept nogil:
    cdef exchange* x = <exchange*>owner
    cdef head out
    cdef int result
    if x.state == EXCHANGE_OVER:
        return
    x.moved_ns = x.home.now_ns
    result = rewrite_trailers(x, h, &out)
    if result == OK:
        result = x.down.ops.send_trailers(x.down, &out)
    if result < 0:
        exchange_fail(x, -result)
    else:
        exchange_finish(x)


cdef void relay_down_room(void* owner) noexcept nogil:
    """What waited for the caller has been taken: the app may go on, or all is done."""
    cdef exchange* x = <exchange*>owner
    if x.state == EXCHANGE_CLOSING:
        exchange_finish(x)
    elif x.down_full and x.state != EXCHANGE_OVER:
        x.down_full = False
        x.moved_ns = x.home.now_ns
        x.up.ops.want_body(x.up, True)
