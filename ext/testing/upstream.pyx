# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""upstream: a roster with pretend workers, and a stress of one with real threads.

Floor      testing: may cimport everything; imported only by tests.
"""

from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free

from ext.admission.limiter cimport (
    limiter, limiter_admit, limiter_cancel, limiter_collect, limiter_drop, limiter_grow, limiter_new,
    limiter_release_last, limiter_return,
)
from ext.admission.slots cimport CAPACITY_MAX, slots_capacity, slots_running, slots_waiting
from ext.admission.ticket cimport ADMITTED, PARKED, ticket, ticket_init
from ext.base.atomics cimport u64_add_full, u64_load_full, u64_store_full, u64_swap_full
from ext.base.clock cimport clock_now_ns
from ext.loop.mailbox cimport letter, mailbox, mailbox_close, mailbox_open
from ext.upstream.endpoint cimport endpoint, endpoint_drop, endpoint_new
from ext.upstream.member cimport (
    member, member_give, member_is_in, member_new, member_retire, member_running, members, members_new,
)
from ext.upstream.picker cimport PICK_FIRST, PICK_FIRST_MAX, PICK_ROUND, PICK_TWO, picker_pick
from ext.upstream.roster cimport (
    roster, roster_adopt, roster_drop, roster_hunger, roster_new, roster_put_in, roster_refuse, roster_take_out,
    roster_told, roster_told_refused, roster_wake,
)

cdef extern from "sched.h" nogil:
    int sched_yield()

cdef enum:
    MEMBERS = 4
    STRESS_WORKERS = 4
    STRESS_REQUESTS = 8

cdef enum stress_mode:
    STRESS_WORK = 0        # requests come, end, leave, and are refused
    STRESS_FREEZE = 1      # answer knocks only
    STRESS_STOP = 2        # give everything back, then return

cdef struct request:
    ticket place           # inline
    roster* r              # borrows: the test's
    member* at             # borrows: while a slot of it is held
    int worker


cdef void run(request* q) noexcept nogil:
    """Admitted: takes a slot of a member, or goes back to the front of the line; as ext.proxy.choice does it."""
    q.at = picker_pick(q.r, q.worker, NULL, 0)
    if q.at is NULL:
        roster_hunger(q.r)
        limiter_return(q.r.gate, &q.place, 0)


cdef bint give(request* q) noexcept nogil:
    cdef member* m = q.at
    q.at = NULL
    return m is not NULL and member_give(m) and not q.r.unlimited


cdef void end(request* q) noexcept nogil:
    if q.place.state == ADMITTED and give(q):
        limiter_release_last(q.r.gate, &q.place)
    else:
        limiter_cancel(q.r.gate, &q.place)


cdef void fail(request* q) noexcept nogil:
    """The member refuses: it is set aside, and the request goes elsewhere."""
    cdef uint64_t been = q.at.serial
    roster_refuse(q.r, q.at)
    if give(q):
        limiter_grow(q.r.gate, -1)
    q.at = picker_pick(q.r, q.worker, &been, 1)
    if q.at is NULL:
        limiter_return(q.r.gate, &q.place, 0)


cdef int policy_of(int64_t capacity, bint unlimited) noexcept nogil:
    if unlimited:
        return PICK_TWO
    return PICK_FIRST if capacity <= PICK_FIRST_MAX else PICK_ROUND


# ── pretend workers ───────────────────────────────────────────────────────

cdef void knock_later(limiter* l, int worker, void* knocker) noexcept nogil:
    with gil:
        (<Roster>knocker).knocks.append(worker)


cdef void on_granted(ticket* t, void* owner) noexcept nogil:
    with gil:
        (<Request>owner).home.granted.append((<Request>owner).name)
    run(&(<Request>owner).c)


cdef void on_wanted(letter* l, void* reader) noexcept nogil:
    roster_told(<roster*>l.owner)
    with gil:
        (<Roster>reader).told.append("wanted")


cdef void on_refused(letter* l, void* reader) noexcept nogil:
    cdef int64_t serial = <int64_t>(<member*>l).serial
    cdef bint is_out = roster_told_refused(<roster*>l.owner, <member*>l)
    with gil:
        (<Roster>reader).told.append(("refused", serial, bool(is_out)))


cdef class Request:
    """One request of a pretend worker."""
    cdef request c
    cdef Roster home
    cdef readonly object name

    def __cinit__(self, Roster home, int worker, name):
        ticket_init(&self.c.place, on_granted, <void*>self)
        self.c.r = home.c
        self.c.worker = worker
        self.home = home
        self.name = name

    @property
    def state(self):
        """ "idle", "parked", or "running"; a request that holds a slot of the gate holds one of a member."""
        if self.c.place.state == PARKED:
            return "parked"
        if self.c.place.state == ADMITTED:
            return "running" if self.c.at is not NULL else "lost"
        return "idle"

    @property
    def member(self):
        """The serial of the member that it runs on; None when it runs on none."""
        return self.c.at.serial if self.c.at is not NULL else None


cdef class Roster:
    """A roster whose knocks and letters wait until the test delivers them."""
    cdef roster* c
    cdef mailbox mail
    cdef readonly list knocks       # workers that were knocked and have not collected
    cdef readonly list granted      # names, in the order of their grants
    cdef readonly list told         # events that were read
    cdef readonly int workers
    cdef dict serials               # serial -> address of the member
    cdef list leaving
    cdef list arriving
    cdef members* next              # owns: until finish
    cdef endpoint* to               # shares
    cdef uint64_t count

    def __cinit__(self, int workers, waiting_max=100, bint unlimited=False):
        cdef limiter* gate = limiter_new(0, waiting_max, workers, knock_later, NULL, <void*>self)
        self.knocks = []
        self.granted = []
        self.told = []
        self.serials = {}
        self.workers = workers
        mailbox_open(&self.mail, <void*>self)
        self.to = endpoint_new(b"127.0.0.1", 1, 0, 1)
        self.c = roster_new(b"a/b", 3, gate, workers, &self.mail, on_wanted, on_refused)
        self.c.unlimited = unlimited
        for i in range(workers):
            self.c.stands[i].random = 2 * i + 1  # the same choices each time
        limiter_drop(gate)

    def close(self):
        """Everything has ended: members, sets and the roster go."""
        self.events()
        roster_drop(self.c)
        endpoint_drop(self.to)
        mailbox_close(&self.mail)

    def request(self, int worker, name):
        return Request(self, worker, name)

    def arrive(self, Request q):
        """ "running", "parked", or "full"."""
        cdef int got = limiter_admit(self.c.gate, q.c.worker, &q.c.place, 0)
        q.c.place.worker = q.c.worker
        roster_wake(self.c)
        if got < 0:
            return "full"
        if q.c.place.state == PARKED:
            roster_hunger(self.c)
        else:
            run(&q.c)
        return q.state

    def end(self, Request q):
        """The request ends, or its caller leaves."""
        end(&q.c)

    def fail(self, Request q):
        """The member that it runs on refuses the connection."""
        fail(&q.c)

    def collect(self, int worker):
        self.knocks.remove(worker)
        limiter_collect(self.c.gate, worker)

    # a change of the set, in the steps that the control thread takes

    def prepare(self, dict stay, list come):
        """serial -> capacity of members that stay, capacities of new ones; gives the serials of the new set."""
        cdef member* m
        cdef int i = 0
        highest = max([*stay.values(), *come], default=0)
        self.leaving = [serial for serial in self.serials if serial not in stay]
        self.arriving = list(stay.items())
        for capacity in come:
            self.count += 1
            m = member_new(self.to, self.count)
            self.serials[self.count] = <uint64_t>m
            self.arriving.append((self.count, capacity))
        for serial in self.leaving:
            roster_take_out(self.c, <member*><uint64_t>self.serials[serial])
        self.next = members_new(len(self.arriving), policy_of(highest, self.c.unlimited))
        for serial, _ in self.arriving:
            self.next.all[i] = <member*><uint64_t>self.serials[serial]
            i += 1
        return [serial for serial, _ in self.arriving]

    def adopt(self, int worker):
        roster_adopt(self.c, worker, self.next)

    def finish(self):
        free(self.c.current)
        self.c.current = self.next
        u64_store_full(&self.c.hungry, 0)
        for serial, capacity in self.arriving:
            roster_put_in(
                self.c, <member*><uint64_t>self.serials[serial], CAPACITY_MAX if self.c.unlimited else capacity
            )
        for serial in self.leaving:
            member_retire(<member*><uint64_t>self.serials.pop(serial))

    # what can be seen

    def gate(self):
        """(capacity, running, waiting)"""
        cdef uint64_t word = u64_load_full(&self.c.gate.slots_word)
        return slots_capacity(word), slots_running(word), slots_waiting(word)

    def members(self):
        """serial -> (is in, capacity, running) of the newest set"""
        cdef member* m
        cdef int i
        seen = {}
        for i in range(self.c.current.count):
            m = self.c.current.all[i]
            seen[m.serial] = (bool(member_is_in(m)), slots_capacity(u64_load_full(&m.word)), member_running(m))
        return seen

    def usable(self):
        return self.c.usable

    def events(self):
        """What has been told since the last look."""
        told = self.told
        self.mail.bell.on_ready(&self.mail.bell, 0)
        self.told = []
        return told


# ── real threads ──────────────────────────────────────────────────────────

cdef struct stress_worker:
    stress* home           # borrows: the Stress that holds it
    int number
    uint64_t knocked       # a knock waits; written by all
    uint64_t seed
    uint64_t held          # requests that hold a slot, as of the last turn
    uint64_t parked        # requests that wait, as of the last turn
    uint64_t adopted       # the number of the newest set that it has
    uint64_t served
    request requests[8]    # inline

cdef struct stress:
    roster* r              # owns
    mailbox mail           # inline
    members* next          # borrows: the set that is being sent
    uint64_t sent          # its number
    uint64_t mode          # stress_mode; written by the thread that tests
    uint64_t errors        # knocks on a knocked door
    stress_worker workers[4]    # inline


cdef void stress_wanted(letter* l, void* reader) noexcept nogil:
    roster_told(<roster*>l.owner)


cdef void stress_refused(letter* l, void* reader) noexcept nogil:
    roster_told_refused(<roster*>l.owner, <member*>l)


cdef void stress_knock(limiter* l, int worker, void* knocker) noexcept nogil:
    cdef stress* s = <stress*>knocker
    if u64_swap_full(&s.workers[worker].knocked, 1):
        u64_add_full(&s.errors, 1)


cdef void stress_granted(ticket* t, void* owner) noexcept nogil:
    run(<request*>owner)


cdef uint64_t stress_random(uint64_t* seed) noexcept nogil:
    """xorshift64"""
    seed[0] ^= seed[0] << 13
    seed[0] ^= seed[0] >> 7
    seed[0] ^= seed[0] << 17
    return seed[0] >> 20


cdef void stress_touch(stress_worker* w, request* q) noexcept nogil:
    """One thing that may happen to this request now."""
    cdef uint64_t chance = stress_random(&w.seed) % 16
    if q.place.state == ADMITTED:
        if chance == 0:
            fail(q)
        else:
            end(q)
            w.served += 1
    elif q.place.state == PARKED:
        if chance < 2:
            end(q)
    elif limiter_admit(q.r.gate, w.number, &q.place, 0) == ADMITTED:
        run(q)
    else:
        roster_wake(q.r)


cdef void stress_turn(stress_worker* w, uint64_t mode) noexcept nogil:
    cdef stress* s = w.home
    cdef uint64_t held = 0
    cdef uint64_t parked = 0
    cdef uint64_t sent = u64_load_full(&s.sent)
    cdef int i
    if sent != w.adopted:
        roster_adopt(s.r, w.number, s.next)
        u64_store_full(&w.adopted, sent)
    if u64_swap_full(&w.knocked, 0):
        limiter_collect(s.r.gate, w.number)
    if mode == STRESS_WORK:
        stress_touch(w, &w.requests[stress_random(&w.seed) % <uint64_t>STRESS_REQUESTS])
    for i in range(<int>STRESS_REQUESTS):
        if mode == STRESS_STOP:
            end(&w.requests[i])
        held += w.requests[i].place.state == ADMITTED
        parked += w.requests[i].place.state == PARKED
    u64_store_full(&w.held, held)
    u64_store_full(&w.parked, parked)


cdef bint stress_is_over(const stress* s) noexcept nogil:
    cdef uint64_t word = u64_load_full(&s.r.gate.slots_word)
    return slots_running(word) == 0 and slots_waiting(word) == 0


cdef class Stress:
    """A roster, threads that use it at random (each calls `run` with its number), and one that changes its members."""
    cdef stress c
    cdef member* known[4]           # in the newest set; NULL: none
    cdef endpoint* to
    cdef uint64_t seed
    cdef uint64_t serial
    cdef readonly int workers

    def __cinit__(self, int workers, bint unlimited=False):
        cdef limiter* gate = limiter_new(0, 1000, workers, stress_knock, NULL, &self.c)
        cdef stress_worker* w
        cdef int i, j
        self.workers = workers
        self.seed = 0x7654321
        self.to = endpoint_new(b"127.0.0.1", 1, 0, 1)
        mailbox_open(&self.c.mail, &self.c)
        self.c.r = roster_new(b"a/b", 3, gate, workers, &self.c.mail, stress_wanted, stress_refused)
        self.c.r.unlimited = unlimited
        limiter_drop(gate)
        for i in range(workers):
            w = &self.c.workers[i]
            w.home = &self.c
            w.number = i
            w.seed = 0x1234567 + 977 * i
            for j in range(<int>STRESS_REQUESTS):
                ticket_init(&w.requests[j].place, stress_granted, &w.requests[j])
                w.requests[j].r = self.c.r
                w.requests[j].worker = i

    def __dealloc__(self):
        self.c.mail.bell.on_ready(&self.c.mail.bell, 0)
        roster_drop(self.c.r)
        endpoint_drop(self.to)
        mailbox_close(&self.c.mail)

    def run(self, int number):
        """Returns the requests that it has served, once `stop` was called and everything has been given back."""
        cdef stress_worker* w = &self.c.workers[number]
        cdef uint64_t mode = STRESS_WORK
        with nogil:
            while mode != STRESS_STOP or u64_load_full(&w.knocked) or not stress_is_over(&self.c):
                mode = u64_load_full(&self.c.mode)
                stress_turn(w, mode)
                if mode != STRESS_WORK:
                    sched_yield()
        return w.served

    def change(self, int times):
        """As the control thread does it: leavers out, a set to all workers, comers in; members that stay are well."""
        cdef int _i
        with nogil:
            for _i in range(times):
                self.change_once()

    cdef void change_once(self) noexcept nogil:
        cdef member* gone[4]
        cdef member* m
        cdef int i
        cdef int count = 0
        for i in range(<int>MEMBERS):
            gone[i] = NULL
            if self.known[i] is not NULL and stress_random(&self.seed) % 3 == 0:
                gone[i] = self.known[i]
                self.known[i] = NULL
                roster_take_out(self.c.r, gone[i])
            elif self.known[i] is NULL and stress_random(&self.seed) % 2 == 0:
                self.serial += 1
                self.known[i] = member_new(self.to, self.serial)
            count += self.known[i] is not NULL
        self.send(count)
        for i in range(<int>MEMBERS):
            m = self.known[i]
            if m is not NULL:
                roster_put_in(self.c.r, m, CAPACITY_MAX if self.c.r.unlimited else 1 + <int64_t>(m.serial % 3))
            if gone[i] is not NULL:
                member_retire(gone[i])
        self.c.mail.bell.on_ready(&self.c.mail.bell, 0)

    cdef void send(self, int count) noexcept nogil:
        """The set of the known, to all workers; comes back when all have it."""
        cdef members* before = self.c.r.current
        cdef int i
        self.c.next = members_new(count, policy_of(3, self.c.r.unlimited))
        count = 0
        for i in range(<int>MEMBERS):
            if self.known[i] is not NULL:
                self.c.next.all[count] = self.known[i]
                count += 1
        u64_add_full(&self.c.sent, 1)
        for i in range(self.workers):
            while u64_load_full(&self.c.workers[i].adopted) != self.c.sent:
                sched_yield()
        self.c.r.current = self.c.next
        free(before)

    def freeze(self):
        """Waits until nothing is on its way: ((capacity, running, waiting), [(is in, capacity, running)]), or None."""
        cdef uint64_t until_ns = clock_now_ns() + 10000000000ULL
        cdef uint64_t word, held, parked
        cdef int i
        u64_store_full(&self.c.mode, STRESS_FREEZE)
        while clock_now_ns() < until_ns:
            held = 0
            parked = 0
            with nogil:
                sched_yield()
            for i in range(self.workers):
                held += u64_load_full(&self.c.workers[i].held)
                parked += u64_load_full(&self.c.workers[i].parked)
            word = u64_load_full(&self.c.r.gate.slots_word)
            if slots_running(word) == <int64_t>held and slots_waiting(word) == <int64_t>parked:
                return (slots_capacity(word), slots_running(word), slots_waiting(word)), self.members()
        return None

    def members(self):
        cdef uint64_t word
        cdef int i
        seen = []
        for i in range(<int>MEMBERS):
            if self.known[i] is not NULL:
                word = u64_load_full(&self.known[i].word)
                seen.append((bool(member_is_in(self.known[i])), slots_capacity(word), slots_running(word)))
        return seen

    def work(self):
        u64_store_full(&self.c.mode, STRESS_WORK)

    def stop(self):
        u64_store_full(&self.c.mode, STRESS_STOP)

    def errors(self):
        return u64_load_full(&self.c.errors)
