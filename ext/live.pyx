# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""live: bodies; the story is in live.pxd.

Floor      plan: may cimport every floor below.
Takes      values that the caller has checked, but for endpoints, which come from a cluster.
Never      used by two threads of Python at once.
"""

from libc.stdint cimport uint64_t, uintptr_t
from libc.stdlib cimport calloc, free

from ext.admission.limiter cimport (
    limiter,
    limiter_collect,
    limiter_drop,
    limiter_new,
    limiter_pending,
    limiter_resize,
    limiter_waiting,
)
from ext.admission.slots cimport CAPACITY_MAX, slots_capacity, slots_running, slots_waiting
from ext.base.atomics cimport u64_load_full, u64_load_relaxed, u64_store_full
from ext.base.clock cimport clock_now_ns
from ext.loop.mailbox cimport letter, mailbox_close, mailbox_open, mailbox_post
from ext.stats.busy cimport busy_read
from ext.upstream.endpoint cimport endpoint, endpoint_drop, endpoint_is_address, endpoint_new
from ext.upstream.member cimport member, member_new, member_retire, members_new
from ext.upstream.picker cimport PICK_FIRST, PICK_FIRST_MAX, PICK_ROUND, PICK_TWO
from ext.upstream.pool cimport pool_close_idle, pool_leave
from ext.upstream.roster cimport (
    roster_adopt,
    roster_drop,
    roster_new,
    roster_put_in,
    roster_share,
    roster_take_out,
    roster_told,
    roster_told_refused,
    roster_want,
)
from ext.upstream.target cimport (
    APP_DETECT,
    APP_FOLLOW,
    APP_H2C,
    APP_HTTP1,
    target,
    target_drop,
    target_new,
    target_passes_as,
)

APP_PROTOCOLS = {"follow": APP_FOLLOW, "http1": APP_HTTP1, "h2c": APP_H2C, "detect": APP_DETECT}

WANTED = "wanted"
REFUSED = "refused"


cdef void on_knock(letter* l, void* reader) noexcept nogil:
    cdef knock* k = <knock*>l
    limiter_collect(k.gate, k.worker)


cdef void knock_at(limiter* l, int worker, void* context) noexcept nogil:
    """From any thread: a slot was granted to one who waits at this worker."""
    cdef knocker* k = <knocker*>context
    k.knocks[worker].gate = l
    mailbox_post(k.mails[worker], &k.knocks[worker].l)


cdef void on_limiter_free(limiter* l, void* context) noexcept nogil:
    free(context)


cdef void keep(letter* l, void* reader) noexcept nogil:
    """Python looks at it as soon as the box is empty."""
    l.next = (<event_list*>reader).newest
    (<event_list*>reader).newest = l


cdef void on_wanted(letter* l, void* reader) noexcept nogil:
    keep(l, reader)


cdef void on_refused(letter* l, void* reader) noexcept nogil:
    keep(l, reader)


cdef void live_adopt(const endpoint_change* change, int worker, uint64_t now_ns) noexcept nogil:
    """In the worker's thread, or before there is one."""
    cdef int i
    if change.starts:
        change.of.stands[worker].newest = change.newest
        change.of.stands[worker].newest.told_ns = now_ns
    if change.next is NULL:
        return
    roster_adopt(change.of, worker, change.next)
    for i in range(change.left_count):
        pool_leave(&change.left[i].pools[worker])


cdef class Change:
    def __dealloc__(self):
        free(self.c.left)
        if self.c.of is not NULL:
            roster_drop(self.c.of)


cdef class Live:
    def __cinit__(self, int worker_count):
        self.worker_count = worker_count
        self.wishes = {}
        self.targets = {}
        self.rosters = {}
        self.members = {}
        self.versions = {}
        self.endpoints = {}
        self.uses = {}
        self.left = []
        self.told = {}
        self.active = {}
        self.events.bell.fd = -1
        self.mails = <mailbox**>calloc(worker_count, sizeof(mailbox*))
        if self.mails is NULL:
            raise MemoryError()

    def __dealloc__(self):
        """After the workers have ended: nobody knocks any more."""
        self.release_events()
        mailbox_close(&self.events)
        for address in self.targets.values():
            target_drop(<target*><uintptr_t>address)
        for address in self.rosters.values():
            roster_drop(<roster*><uintptr_t>address)
        for address in self.endpoints.values():
            endpoint_drop(<endpoint*><uintptr_t>address)
        for address in self.left:
            endpoint_drop(<endpoint*><uintptr_t>address)
        free(self.mails)

    # ── targets, when a plan is built ─────────────────────────────────────

    cdef target* target_of(self, str name) except NULL:
        """The target of that name as a plan last described it; KeyError when none did."""
        return <target*><uintptr_t>self.targets[name]

    cdef target* target_for(self, str name, dict wish) except NULL:
        """The target of that name with these terms: the one there is, or a new one with the same roster."""
        cdef target* t
        if self.wishes.get(name) == wish:
            return <target*><uintptr_t>self.targets[name]
        wish = dict(wish)
        endpoints = wish["endpoints"]
        if name in self.wishes and (endpoints is None) != self.comes_and_goes(name):
            raise ValueError(f"target {name}: who says its endpoints cannot change; forget it first")
        if endpoints is not None and len(endpoints) != 1:
            raise ValueError(f"target {name}: a plan names one endpoint, or None for those of Engine.endpoints")
        if endpoints is None and wish.get("reports") and not wish["hold"]:
            raise ValueError(f"target {name}: reports are of targets that hold")
        t = target_new(self.roster_for(name, wish))
        if t is NULL:
            raise MemoryError()
        if endpoints is not None:
            t.only = member_new(self.endpoint_of(endpoints[0][0], endpoints[0][1], wish["idle_max"]), 0)
            if not wish["running_max"]:
                t.gate = NULL
        t.request_ns = wish["request_ns"]
        t.start_ns = wish["start_ns"]
        t.idle_ns = wish["idle_ns"]
        t.speaks = APP_PROTOCOLS[wish["protocol"]]
        t.marks = wish.get("marks", False)
        t.reports = wish.get("reports", False)
        t.sets_aside = endpoints is None and wish["hold"]
        host = wish.get("host", "").encode()
        if host and not target_passes_as(t, host, len(host)):
            target_drop(t)
            raise MemoryError()
        if name in self.targets:
            target_drop(<target*><uintptr_t>self.targets[name])
        self.targets[name] = <uintptr_t>t
        self.wishes[name] = wish
        return t

    cdef roster* roster_for(self, str name, dict wish) except NULL:
        """The roster of that name; a new one when there is none, or the one there is cannot limit."""
        cdef bytes text = name.encode()
        cdef limiter* gate = NULL
        cdef roster* r
        cdef bint comes_and_goes = wish["endpoints"] is None
        cdef bint limits = wish["hold"] if comes_and_goes else wish["running_max"] > 0
        if name in self.rosters:
            r = <roster*><uintptr_t>self.rosters[name]
            if comes_and_goes and limits != (r.gate is not NULL):
                raise ValueError(f"target {name}: whether it holds cannot change; forget it first")
            if r.gate is not NULL or not limits:
                if limits and not comes_and_goes:
                    limiter_resize(r.gate, -1, wish["running_max"])
                return r
            roster_drop(r)
        if comes_and_goes:
            self.open_events()
        if limits:
            gate = self.limiter_for(0 if comes_and_goes else wish["running_max"], wish["waiting_max"])
        r = roster_new(text, len(text), gate, self.worker_count, &self.events, on_wanted, on_refused)
        if gate is not NULL:
            limiter_drop(gate)
        if r is NULL:
            raise MemoryError()
        self.rosters[name] = <uintptr_t>r
        self.members[name] = {}
        return r

    cdef limiter* limiter_for(self, long running_max, long waiting_max) except NULL:
        cdef limiter* l
        cdef int i
        cdef knocker* k = <knocker*>calloc(1, sizeof(knocker) + sizeof(knock) * self.worker_count)
        if k is NULL:
            raise MemoryError()
        k.mails = self.mails
        for i in range(self.worker_count):
            k.knocks[i].l.on_read = on_knock
            k.knocks[i].worker = i
        l = limiter_new(running_max, waiting_max, self.worker_count, knock_at, on_limiter_free, k)
        if l is NULL:
            free(k)
            raise MemoryError()
        return l

    cdef endpoint* endpoint_of(self, str host, int port, int idle_max) except NULL:
        cdef endpoint* e
        key = (host, port)
        if key in self.endpoints:
            return <endpoint*><uintptr_t>self.endpoints[key]
        e = endpoint_new(host.encode(), port, idle_max, self.worker_count)
        if e is NULL:
            raise ValueError(f"{host} is no IP address")
        self.endpoints[key] = <uintptr_t>e
        return e

    cdef bint comes_and_goes(self, str name) except *:
        """Engine.endpoints says who serves that target; KeyError when there is none."""
        return self.wishes[name]["endpoints"] is None

    cdef bint is_unlimited(self, str name) except *:
        return (<roster*><uintptr_t>self.rosters[name]).unlimited

    cdef void forget(self, str name) except *:
        """The next target of that name begins anew; plans and exchanges keep what they have."""
        target_drop(<target*><uintptr_t>self.targets.pop(name))
        roster_drop(<roster*><uintptr_t>self.rosters.pop(name))
        for table in (self.wishes, self.members, self.versions, self.active):
            table.pop(name, None)

    # ── endpoints, while it runs ──────────────────────────────────────────

    cdef Change prepare(self, str name, endpoints, bint unlimited):
        """Takes out who leaves, and makes the next set; who comes is put in by `finish`."""
        cdef Change change = Change()
        cdef roster* r
        cdef dict wanted
        if name not in self.wishes or self.wishes[name]["endpoints"] is not None:
            raise ValueError(f"no target {name} whose endpoints come and go")
        r = <roster*><uintptr_t>self.rosters[name]
        unlimited = unlimited or r.gate is NULL
        if name in self.versions and unlimited != r.unlimited:
            raise ValueError(f"target {name}: whether its endpoints have limits cannot change; forget it first")
        wanted = checked(name, endpoints, unlimited)
        if name not in self.versions:
            r.unlimited = unlimited
        self.prune()
        change.c.of = roster_share(r)
        change.name = name
        change.leaving = []
        u64_store_full(&r.hungry, 0)
        change.c.next = self.arrange(change, wanted)
        leaving = [key for key in self.members[name] if key not in wanted]
        change.c.left = <endpoint**>calloc(len(leaving) + 1, sizeof(endpoint*))
        if change.c.left is NULL:
            raise MemoryError()
        for key in leaving:
            self.part(change, key)
        return change

    cdef members* arrange(self, Change change, dict wanted) except? NULL:
        """The next set, in the order of addresses; NULL when it is the one there is."""
        cdef roster* r = change.c.of
        cdef dict known = self.members[change.name]
        cdef members* set
        cdef member* m
        cdef int i = 0
        cdef int policy = PICK_TWO if r.unlimited else PICK_FIRST
        if not r.unlimited and max(wanted.values(), default=0) > PICK_FIRST_MAX:
            policy = PICK_ROUND
        idle_max = self.wishes[change.name]["idle_max"]
        is_same = wanted.keys() == known.keys() and r.current.policy == policy
        change.arriving = []
        for key, capacity in wanted.items():
            if key not in known:
                self.serial += 1
                m = member_new(self.endpoint_of(key[0], key[1], idle_max), self.serial)
                if m is NULL:
                    raise MemoryError()
                known[key] = <uintptr_t>m
                self.uses[key] = self.uses.get(key, 0) + 1
            change.arriving.append((known[key], capacity))
        if is_same:
            return NULL
        set = members_new(len(wanted), policy)
        if set is NULL:
            raise MemoryError()
        for address, _ in change.arriving:
            set.all[i] = <member*><uintptr_t>address
            i += 1
        return set

    cdef void part(self, Change change, tuple key) except *:
        """One endpoint leaves the target; if no other has it, its connections end."""
        cdef member* m = <member*><uintptr_t>self.members[change.name].pop(key)
        roster_take_out(change.c.of, m)
        change.leaving.append(<uintptr_t>m)
        self.uses[key] -= 1
        if self.uses[key] == 0:
            del self.uses[key], self.endpoints[key]
            change.c.left[change.c.left_count] = m.to
            change.c.left_count += 1
            self.left.append(<uintptr_t>m.to)

    cdef int finish(self, Change change) except -1:
        """All workers have the set: who comes is put in, who has left may go. Gives the version."""
        cdef roster* r = change.c.of
        if change.c.next is not NULL:
            free(r.current)
            r.current = change.c.next
        for address, capacity in change.arriving:
            roster_put_in(r, <member*><uintptr_t>address, capacity)
        for address in change.leaving:
            member_retire(<member*><uintptr_t>address)
        if r.current.count:
            u64_store_full(&r.hungry, 0)
        elif change.leaving and r.gate is not NULL and limiter_waiting(r.gate):
            roster_want(r, &r.hungry)
        version = self.versions.get(change.name, 0) + 1
        self.versions[change.name] = version
        return version

    cdef void prune(self) noexcept:
        """Lets go of endpoints that have left and are idle everywhere."""
        cdef endpoint* e
        kept = []
        for address in self.left:
            e = <endpoint*><uintptr_t>address
            if u64_load_full(&e.shares) == 1:
                endpoint_drop(e)
            else:
                kept.append(address)
        self.left = kept

    cdef void close_pools(self, int worker) noexcept:
        """After the threads have ended: idle connections of that worker are closed."""
        for address in [*self.endpoints.values(), *self.left]:
            pool_close_idle(&(<endpoint*><uintptr_t>address).pools[worker])

    # ── what it says ──────────────────────────────────────────────────────

    cdef void read_events(self) except *:
        """Everything that workers have told, into `told` and `active`."""
        cdef letter* l
        if self.events.bell.fd < 0:
            return
        self.unread.newest = NULL
        self.events.bell.on_ready(&self.events.bell, 0)
        told = []
        while self.unread.newest is not NULL:
            l = self.unread.newest
            self.unread.newest = l.next
            event = self.read_event(l)
            if event is not None:
                told.append(event)
        self.told.update(dict.fromkeys(reversed(told)))

    cdef void release_events(self) noexcept:
        """What nobody will read lets go of its roster."""
        cdef letter* l
        if self.events.bell.fd < 0:
            return
        self.unread.newest = NULL
        self.events.bell.on_ready(&self.events.bell, 0)
        while self.unread.newest is not NULL:
            l = self.unread.newest
            self.unread.newest = l.next
            if l.on_read == on_refused:
                roster_told_refused(<roster*>l.owner, <member*>l)
            else:
                roster_told(<roster*>l.owner)

    cdef tuple read_event(self, letter* l):
        """None for what concerns nobody any more. Flags are cleared before the numbers are looked at."""
        cdef roster* r = <roster*>l.owner
        cdef str name = r.name[:r.name_len].decode()
        cdef bint is_known = self.rosters.get(name) == <uintptr_t>r
        if l.on_read == on_refused:
            key = key_of(self.members[name], <uintptr_t>l) if is_known else None
            is_out = roster_told_refused(r, <member*>l)
            return (name, REFUSED, key) if is_out and key is not None else None
        roster_told(r)
        if is_known and u64_load_full(&r.awake):
            self.active.setdefault(name, None)
        return (name, WANTED, None) if is_known else None

    def events_fd(self):
        """A descriptor that is readable while take_events has something to give."""
        self.open_events()
        return self.events.bell.fd

    cdef void open_events(self) except *:
        if self.events.bell.fd < 0 and mailbox_open(&self.events, &self.unread) < 0:
            raise OSError("no descriptor is left for events")

    def take_events(self):
        """[(target, WANTED, None) or (target, REFUSED, (host, port))], oldest first."""
        self.read_events()
        told = list(self.told)
        self.told = {}
        return told

    def report(self):
        """(now in ns, {target: (requests, concurrency, running, waiting, refused)}) of targets with `reports`.

        Only those that had a request since the last report; so each is told of once more when it is idle.
        requests      since the start, those refused included
        concurrency   integral of requests that run or wait, request nanoseconds
        refused       since the start, for a full waiting room
        """
        cdef roster* r
        cdef uint64_t now_ns = clock_now_ns()
        self.read_events()
        found = {}
        for name, before in list(self.active.items()):
            r = <roster*><uintptr_t>self.rosters[name]
            numbers = self.numbers(r, now_ns)
            if is_idle(numbers, before):
                u64_store_full(&r.awake, 0)
                # Whoever came before that has not told anybody.
                numbers = self.numbers(r, now_ns)
                if is_idle(numbers, before):
                    del self.active[name]
                    continue
                u64_store_full(&r.awake, 1)
            self.active[name] = numbers[:2]
            found[name] = numbers
        return now_ns, found

    cdef tuple numbers(self, roster* r, uint64_t now_ns):
        cdef int i
        cdef uint64_t refused = 0
        requests = concurrency = pending = 0
        for i in range(self.worker_count):
            changed_ns, running, _, running_ns, _, arrived, _ = busy_read(&r.stands[i].load)
            requests += arrived
            pending += running
            concurrency += running_ns + running * max(now_ns - changed_ns, 0)
            refused += u64_load_relaxed(&r.stands[i].refused)
        waiting = min(limiter_waiting(r.gate), pending) if r.gate is not NULL else 0
        return requests, concurrency, pending - waiting, waiting, refused

    def gate(self, str name):
        """(capacity, running, waiting) of a target's gate; None when nobody waits there."""
        cdef roster* r = <roster*><uintptr_t>self.rosters[name]
        cdef uint64_t word
        if r.gate is NULL:
            return None
        word = u64_load_full(&r.gate.slots_word)
        return slots_capacity(word), slots_running(word), slots_waiting(word)

    def pending(self, str name):
        """Requests of that target that run or wait (DP-136); None without a limiter."""
        cdef roster* r
        if name not in self.rosters:
            return None
        r = <roster*><uintptr_t>self.rosters[name]
        return limiter_pending(r.gate) if r.gate is not NULL else None


cdef bint is_idle(tuple numbers, before):
    """Nothing has come or run since, so that the end of the last request has been told."""
    return numbers[:2] == before and numbers[2] == 0 and numbers[3] == 0


cdef object key_of(dict known, uintptr_t address):
    """(host, port) of a member; None when it has left."""
    for key, other in known.items():
        if other == address:
            return key
    return None


cdef dict checked(str name, endpoints, bint unlimited):
    """(host, port) -> capacity, in the order of addresses; ValueError that names all that is wrong."""
    wanted = {}
    problems = []
    for host, port, capacity in endpoints:
        if not endpoint_is_address(host.encode()):
            problems.append(f"{host} is no IP address")
        if not 0 < port < 65536:
            problems.append(f"{host} has port {port}, which is not in 1 to 65535")
        if not unlimited and capacity < 1:
            problems.append(f"{host}:{port} has capacity {capacity}, which is below 1")
        wanted[host, port] = capacity
    if problems:
        raise ValueError(f"endpoints of target {name}: {'; '.join(problems)}")
    # The sum fits beside what still runs on endpoints that have left; it is more than there are descriptors.
    most = CAPACITY_MAX if unlimited else CAPACITY_MAX // 2 // max(len(wanted), 1)
    return {
        key: most if unlimited else min(capacity, most)
        for key, capacity in sorted(wanted.items(), key=lambda item: f"{item[0][0]}:{item[0][1]}")
    }
