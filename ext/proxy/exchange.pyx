# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""exchange: bodies; the story is in exchange.pxd.

Floor      proxy: may cimport every floor below.
Takes      a server stream, from its mux.
Gives      an answer on it, or a cut connection; counts and frees itself.
Never      looks at a protocol version but to choose the one spoken upstream.
"""

from libc.stdint cimport uint64_t
from libc.string cimport memset

from ext.admission.limiter cimport limiter_admit, limiter_return
from ext.admission.ticket cimport PARKED, ticket, ticket_init
from ext.base.arena cimport arena_free, arena_take
from ext.base.chain cimport chain_clear, chain_init
from ext.base.clock cimport NS_PER_S, clock_wall_ns
from ext.base.debug cimport LIVE_DOWN, LIVE_EXCHANGE, LIVE_UP
from ext.base.faults cimport (
    BAD_RESPONSE_LINE,
    CLOSED_BEFORE_HEAD,
    CLOSED_UNREAD,
    HANDOFF_LOST,
    IDLE_TIMED_OUT,
    IF_REUSED,
    NO_ENDPOINT,
    REQUEST_TIMED_OUT,
    RESET_BEFORE_HEAD,
    START_TIMED_OUT,
    STREAM_REFUSED,
    UPSTREAM_H2_ERROR,
    fault_table,
)
from ext.base.links cimport links_init
from ext.base.result cimport OK
from ext.http.head cimport BODY_LENGTH, HTTP_1_1, HTTP_2, head, head_has
from ext.http.head cimport METHOD_DELETE, METHOD_GET, METHOD_HEAD, METHOD_OPTIONS, METHOD_PUT, METHOD_TRACE
from ext.http.names cimport NAME_IDEMPOTENCY_KEY
from ext.loop.timers cimport timer, timer_drop, timer_init, timer_set
from ext.mux.stream cimport stream, stream_events
from ext.proxy.account cimport account_done, account_fault, account_in, account_start
from ext.proxy.choice cimport choice_give_back, choice_leave, choice_make, choice_may_move, choice_refused
from ext.proxy.context cimport proxy_of
from ext.proxy.relay cimport (
    relay_down_body,
    relay_down_room,
    relay_down_trailers,
    relay_replay,
    relay_up_body,
    relay_up_head,
    relay_up_room,
    relay_up_trailers,
)
from ext.proxy.reply cimport reply_continue, reply_cut, reply_fault
from ext.proxy.rewrite cimport rewrite_request
from ext.proxy.routes cimport host_routes_drop
from ext.proxy.route cimport ROUTE_ANSWERED, ROUTE_PYTHON, route_decide, verdict
from ext.proxy.trace cimport trace_begin
from ext.stats.shard cimport counter_add
from ext.transport.listen cimport listener
from ext.transport.worker cimport corpse, worker, worker_inter
from ext.upstream.endpoint cimport endpoint, endpoint_learn
from ext.upstream.pool cimport POOL_ANY, POOL_FRESH, POOL_TRUSTED, pool_attach, pool_take, pool_wish
from ext.upstream.roster cimport roster_hunger, roster_wake
from ext.upstream.target cimport APP_DETECT, APP_H2C, APP_HTTP1, target, target_drop, target_share


# ── beginning ─────────────────────────────────────────────────────────────

cdef void exchange_accept(worker* w, stream* s) noexcept nogil:
    """A request is about to come on this stream; leaves s.owner NULL without memory."""
    cdef exchange* x = <exchange*>arena_take(s.mem, sizeof(exchange))
    if x is NULL:
        return
    LIVE_UP(LIVE_EXCHANGE)
    memset(x, 0, sizeof(exchange))
    links_init(&x.grave.link)
    x.grave.bury = exchange_bury
    x.home = w
    x.mem = s.mem
    s.mem = NULL
    x.down = s
    s.events = &DOWN
    s.owner = x
    ticket_init(&x.place, on_granted, x)
    timer_init(&x.clock, on_clock, x)
    timer_init(&x.pause, on_pause, x)
    chain_init(&x.replay, &w.blocks)
    x.replayable = True
    x.listener = <uint8_t>(<listener*>s.via.via).id
    x.label = proxy_of(w).plan.services[x.listener].label
    x.role = proxy_of(w).plan.services[x.listener].role
    x.start_ns = w.now_ns
    x.wall_ns = clock_wall_ns()


cdef void on_down_head(void* owner, head* h, bint last) noexcept nogil:
    """HEAD: what becomes of this request?"""
    cdef exchange* x = <exchange*>owner
    cdef verdict what
    x.request = h
    x.request_last = last
    x.waits_continue = h.expects_continue and not last
    account_start(x)
    what = route_decide(x)
    if what == ROUTE_ANSWERED:
        exchange_finish(x)
    elif what == ROUTE_PYTHON:
        ask_python(x)
    else:
        admit(x)


cdef void ask_python(exchange* x) noexcept nogil:
    """The control thread answers; what the caller still sends is not looked at."""
    cdef stream* s = proxy_of(x.home).to_python(x.home, x.listener, x.down)
    if s is NULL:
        exchange_fail(x, HANDOFF_LOST)
        return
    attach(x, s)
    if s.ops.send_head(s, x.request, True) < 0:
        exchange_fail(x, HANDOFF_LOST)


cdef void admit(exchange* x) noexcept nogil:
    """ADMIT: a slot now, a place in the waiting room, or no."""
    cdef int result
    account_in(x)
    if not x.bypass:
        trace_begin(x)
    if x.to.request_ns == 0:
        exchange_fail(x, REQUEST_TIMED_OUT)
        return
    set_clock(x)
    if x.to.gate is NULL or x.bypass:
        x.admitted_ns = x.home.now_ns
        exchange_connect(x, first_wish(x))
        return
    result = limiter_admit(x.to.gate, x.home.id, &x.place, x.home.now_ns)
    if x.reported:
        roster_wake(x.to.live)
    if result < 0:
        x.to.live.stands[x.home.id].refused += 1
        exchange_fail(x, -result)
    elif x.place.state == PARKED:
        park(x)
    else:
        granted(x)


cdef void park(exchange* x) noexcept nogil:
    x.state = EXCHANGE_PARKED
    counter_add(x.home.stats.waits, 1)
    if x.to.only is NULL:
        roster_hunger(x.to.live)


cdef void on_granted(ticket* t, void* owner) noexcept nogil:
    cdef exchange* x = <exchange*>owner
    counter_add(x.home.stats.waited_ns, x.home.now_ns - t.parked_ns)
    granted(x)


cdef void granted(exchange* x) noexcept nogil:
    x.admitted = True
    x.admitted_ns = x.home.now_ns
    exchange_connect(x, POOL_FRESH if x.moves else first_wish(x))


cdef void wait_again(exchange* x) noexcept nogil:
    """No endpoint has a slot for it: to the front of the line; or, where nobody waits, no."""
    cdef target* to
    if not x.admitted:
        exchange_fail(x, NO_ENDPOINT)
        return
    if x.moves:
        x.down.ops.want_body(x.down, False)
    x.admitted = False
    park(x)
    # It may be granted a slot, and end, before this returns.
    to = target_share(x.to)
    limiter_return(to.gate, &x.place, x.home.now_ns)
    target_drop(to)


# ── upstream ──────────────────────────────────────────────────────────────

cdef bint is_repeatable(const exchange* x) noexcept nogil:
    """The request may reach the app twice (RFC 9110 9.2.2), and its body fits into what is kept for that."""
    cdef const head* h = x.request
    cdef int method = h.method
    if h.framing == BODY_LENGTH and h.length > REPLAY_MAX:
        return False
    if method == METHOD_GET or method == METHOD_HEAD or method == METHOD_PUT or method == METHOD_DELETE:
        return True
    return method == METHOD_OPTIONS or method == METHOD_TRACE or head_has(h, NAME_IDEMPOTENCY_KEY)


cdef pool_wish first_wish(const exchange* x) noexcept nogil:
    return POOL_ANY if is_repeatable(x) else POOL_TRUSTED


cdef uint8_t version_for(const exchange* x, const endpoint* e) noexcept nogil:
    """DP-082: the protocol towards the app follows the request, unless the settings say otherwise."""
    if x.to.speaks == APP_HTTP1:
        return HTTP_1_1
    if x.to.speaks == APP_H2C:
        return HTTP_2
    if x.to.speaks == APP_DETECT and e.speaks:
        return e.speaks
    return HTTP_2 if x.request.version == HTTP_2 else HTTP_1_1


cdef void attach(exchange* x, stream* s) noexcept nogil:
    s.events = &UP
    s.owner = x
    x.up = s
    x.state = EXCHANGE_CONNECT
    x.sent_ns = x.home.now_ns


cdef void exchange_connect(exchange* x, pool_wish wish) noexcept nogil:
    """CONNECT and SEND: the head goes out, and the body is asked for."""
    cdef endpoint* e
    cdef head out
    cdef int fault = 0
    cdef stream* s
    if x.at is NULL and not choice_make(x):
        wait_again(x)
        return
    e = x.at.to
    pool_attach(&e.pools[x.home.id], x.home)
    x.up_version = version_for(x, e)
    s = pool_take(&e.pools[x.home.id], x.up_version, wish, &fault)
    if s is NULL:
        exchange_go_elsewhere(x, fault)
        return
    attach(x, s)
    x.up_taken = s.reused
    fault = rewrite_request(x, &out)
    if fault == OK:
        fault = s.ops.send_head(s, &out, x.request_last and x.replay.len == 0 and x.request_bytes == 0)
    if fault < 0:
        exchange_fail(x, -fault)
        return
    if x.request_bytes:
        relay_replay(x)
        if x.state == EXCHANGE_OVER:
            return
    if x.request_last:
        s.ops.flush(s)
    elif x.waits_continue:
        timer_set(&x.home.wheel, &x.pause, x.home.now_ns + NS_PER_S)
    else:
        x.down.ops.want_body(x.down, True)


cdef void on_pause(timer* t, uint64_t now_ns) noexcept nogil:
    """The app has said nothing for a second: the body is asked for in its place (spec 1.11)."""
    cdef exchange* x = <exchange*>t.owner
    if not x.waits_continue or x.state != EXCHANGE_CONNECT:
        return
    x.waits_continue = False
    reply_continue(x)
    x.down.ops.want_body(x.down, True)


cdef bint may_retry(const exchange* x, int fault) noexcept nogil:
    """Once more, if nothing of an answer was seen and everything that was let go is still at hand."""
    if x.tried or x.head_sent or x.interim or not x.replayable or x.to is NULL:
        return False
    if fault == STREAM_REFUSED:
        return True     # the app says that it has done nothing (RFC 9113 8.7)
    if fault_table[fault].retry != IF_REUSED or not x.up_taken:
        return False
    return fault == CLOSED_UNREAD or is_repeatable(x)


cdef bint detects(exchange* x, int fault) noexcept nogil:
    """The app turned out to speak the other protocol; the next try uses it."""
    cdef endpoint* e
    if x.to is NULL or x.to.speaks != APP_DETECT or x.tried or x.head_sent or not x.replayable:
        return False
    e = x.at.to
    if e.speaks or (fault != UPSTREAM_H2_ERROR and fault != BAD_RESPONSE_LINE and fault != CLOSED_BEFORE_HEAD):
        return False
    e.speaks = HTTP_1_1 if x.up_version == HTTP_2 else HTTP_2
    return True


cdef void on_up_fault(void* owner, int fault) noexcept nogil:
    cdef exchange* x = <exchange*>owner
    cdef bint lost = fault == CLOSED_BEFORE_HEAD or fault == RESET_BEFORE_HEAD or fault == CLOSED_UNREAD
    if x.state == EXCHANGE_OVER:
        return
    if lost and x.up_taken and x.to is not NULL and x.up.idled_ns:
        endpoint_learn(x.at.to, x.up.idled_ns)
    if may_retry(x, fault) or detects(x, fault):
        x.tried = True
        counter_add(x.home.stats.retries, 1)
        let_go_up(x, fault)
        exchange_connect(x, POOL_FRESH)
        return
    if lost and x.up_taken:
        counter_add(x.home.stats.retries_unsafe, 1)
    exchange_go_elsewhere(x, fault)


cdef void exchange_go_elsewhere(exchange* x, int fault) noexcept nogil:
    """An endpoint failed: another one, if the request can still be sent as it came."""
    choice_refused(x, fault)
    if not choice_may_move(x, fault):
        exchange_fail(x, fault)
        return
    x.tried = True
    counter_add(x.home.stats.retries, 1)
    let_go_up(x, fault)
    choice_leave(x)
    if choice_make(x):
        exchange_connect(x, POOL_FRESH)
    elif x.admitted:
        wait_again(x)
    else:
        exchange_fail(x, fault)


# ── time ──────────────────────────────────────────────────────────────────

cdef uint64_t due_of(const exchange* x, int* fault) noexcept nogil:
    """When the nearest timeout is due, and which it is; 0 when none applies.

    After a 101 only idling counts, whichever side moves (weakness W4).
    """
    cdef uint64_t due = 0
    cdef uint64_t at
    if x.to is NULL:
        return 0
    if not x.raw and x.to.request_ns != REQUEST_FOREVER:
        due = x.start_ns + x.to.request_ns
        fault[0] = REQUEST_TIMED_OUT
    if not x.raw and x.to.start_ns and x.first_ns == 0:
        at = x.start_ns + x.to.start_ns
        if due == 0 or at < due:
            due = at
            fault[0] = START_TIMED_OUT
    if x.to.idle_ns:
        at = (x.moved_ns if x.moved_ns else x.start_ns) + x.to.idle_ns
        if due == 0 or at < due:
            due = at
            fault[0] = IDLE_TIMED_OUT
    return due


cdef void set_clock(exchange* x) noexcept nogil:
    cdef int fault = 0
    cdef uint64_t due = due_of(x, &fault)
    if due:
        timer_set(&x.home.wheel, &x.clock, due)
    else:
        timer_drop(&x.clock)


cdef void on_clock(timer* t, uint64_t now_ns) noexcept nogil:
    """Looks again: what has moved since the timer was set pushes it on."""
    cdef exchange* x = <exchange*>t.owner
    cdef int fault = 0
    cdef uint64_t due = due_of(x, &fault)
    if due == 0:
        return
    if due > now_ns:
        timer_set(&x.home.wheel, &x.clock, due)
        return
    exchange_fail(x, fault)


cdef void exchange_flow(exchange* x) noexcept nogil:
    """The rules of time have changed: an upgrade has passed."""
    set_clock(x)


# ── ending ────────────────────────────────────────────────────────────────

cdef void let_go_up(exchange* x, int fault) noexcept nogil:
    cdef stream* up = x.up
    x.up = NULL
    if up is not NULL:
        up.ops.reset(up, fault)


cdef void exchange_fail(exchange* x, int fault) noexcept nogil:
    """FAILED: an answer when one can still be given, a cut otherwise."""
    if x.state == EXCHANGE_OVER:
        return
    if x.fault == 0:
        x.fault = fault
        account_fault(x, fault)
    timer_drop(&x.pause)
    let_go_up(x, fault)
    if not x.head_sent and exchange_status(x, fault):
        x.state = EXCHANGE_CLOSING
        reply_fault(x, fault)
        choice_give_back(x)
        exchange_finish(x)
    elif x.head_sent and x.state != EXCHANGE_CLOSING and reply_cut(x, fault):
        choice_give_back(x)
        exchange_finish(x)
    else:
        exchange_end(x, fault)


cdef void exchange_finish(exchange* x) noexcept nogil:
    """The whole answer was given to the mux; ends once the kernel has it."""
    if x.state == EXCHANGE_OVER:
        return
    x.state = EXCHANGE_CLOSING
    x.down.ops.flush(x.down)
    if x.down.queued:
        x.moved_ns = x.home.now_ns
        return
    exchange_end(x, 0)


cdef void exchange_end(exchange* x, int cut) noexcept nogil:
    """DONE or FAILED: the one place where an exchange lets go of everything.

    The connection goes back before the slot, so that whoever gets the slot
    finds it; the caller's connection goes last, as its next request may begin
    at once.
    """
    cdef stream* up = x.up
    cdef stream* down = x.down
    x.state = EXCHANGE_OVER
    x.up = NULL
    x.down = NULL
    timer_drop(&x.clock)
    timer_drop(&x.pause)
    chain_clear(&x.replay)
    if up is not NULL:
        if cut:
            up.ops.reset(up, cut)
        else:
            up.ops.release(up)
    choice_give_back(x)
    account_done(x, down)
    if cut:
        down.ops.reset(down, cut)
    else:
        down.ops.release(down)
    if x.to is not NULL:
        target_drop(x.to)
        x.to = NULL
    if x.routes is not NULL:
        host_routes_drop(x.routes)
        x.routes = NULL
    worker_inter(x.home, &x.grave)


cdef void exchange_bury(corpse* c) noexcept nogil:
    LIVE_DOWN(LIVE_EXCHANGE)
    arena_free((<exchange*>c).mem)


cdef void on_down_fault(void* owner, int fault) noexcept nogil:
    exchange_fail(<exchange*>owner, fault)


cdef stream_events DOWN
DOWN.on_head = on_down_head
DOWN.on_body = relay_down_body
DOWN.on_trailers = relay_down_trailers
DOWN.on_room = relay_down_room
DOWN.on_fault = on_down_fault

cdef stream_events UP
UP.on_head = relay_up_head
UP.on_body = relay_up_body
UP.on_trailers = relay_up_trailers
UP.on_room = relay_up_room
UP.on_fault = on_up_fault
