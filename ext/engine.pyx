# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""engine: the door through which Python starts, tells, asks and stops the workers.

Floor      engine: may cimport every floor below.
Never      calls Python from a worker, or touches a worker's data from Python
           but its counters, which are made to be read.

One turn of a worker: wait for edges, handle them, go on with what was left of
the last turn, fire timers, hand over what was written, bury what ended.
"""

cimport cython
from libc.errno cimport errno
from libc.stdint cimport uint16_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy
from posix.fcntl cimport F_GETFL, F_SETFL, O_NONBLOCK, fcntl
from posix.unistd cimport close, read, write

from ext.base.arena cimport ARENA_CHUNK
from ext.base.chain cimport block_pool_init
from ext.base.clock cimport clock_now_ns
from ext.base.links cimport links_empty, links_init
from ext.base.slab cimport slab_clear, slab_init
from ext.base.span cimport span, span_of
from ext.http.head cimport field
from ext.live cimport Change, Live, endpoint_change, live_adopt
from ext.loop.mailbox cimport letter, mailbox_close, mailbox_open, mailbox_post, mailbox_read
from ext.loop.poller cimport poller_add, poller_close, poller_handle, poller_open, poller_wait
from ext.loop.timers cimport timers_fire, timers_init, timers_wait_ms
from ext.mux.h1_client cimport h1_client
from ext.mux.h1_server cimport h1_server, h1_server_close_idle, h1_server_end_all, h1_server_open
from ext.mux.h2_server cimport h2_servers_close_idle, h2_servers_drain, h2_servers_end
from ext.mux.h2_session cimport h2_stream
from ext.mux.handoff cimport (
    handoff_answer, handoff_close_queue, handoff_end, handoff_open, handoff_open_queue, handoff_take,
)
from ext.mux.stream cimport stream
from ext.plan cimport Plan
from ext.proxy.cold cimport cold_names
from ext.proxy.context cimport COLD_PHASES, HEALTH_MAX
from ext.proxy.exchange cimport exchange_accept
from ext.stats.busy cimport busy_init, busy_read
from ext.stats.histogram cimport DURATION_BOUNDS, durations, durations_copy
from ext.stats.journal cimport journal_close, journal_drain, journal_open, journal_waiting
from ext.stats.series cimport SERIES_MAX, series_clear, series_init, series_read
from ext.stats.shard cimport shard_init, shard_read
from ext.tls_door cimport TlsDoor
from ext.transport.listen cimport listen_open, listener_start, listener_stop
from ext.transport.transport cimport tls_entry, transport
from ext.transport.worker cimport (
    SCRATCH_BYTES,
    THIRST_MS,
    worker_bury,
    worker_run_agains,
    worker_run_errands,
    worker_run_thirsty,
)
from ext.upstream.roster cimport START_PHASES

cdef extern from "<pthread.h>" nogil:
    int pthread_create(pthread_t* id, void* attributes, void* (*run)(void*) noexcept nogil, void* argument)
    int pthread_join(pthread_t id, void** result)

cdef extern from "<signal.h>" nogil:
    ctypedef struct sigset_t:
        pass
    int sigfillset(sigset_t* all)
    int pthread_sigmask(int how, const sigset_t* now, sigset_t* before)
    enum:
        SIG_BLOCK
        SIG_SETMASK

cdef extern from "<semaphore.h>" nogil:
    int sem_init(sem_t* s, int shared, unsigned int value)
    int sem_post(sem_t* s)
    int sem_wait(sem_t* s)
    int sem_destroy(sem_t* s)

cdef extern from "<sys/random.h>" nogil:
    ssize_t getrandom(void* at, size_t n, unsigned int flags)

cdef extern from "<fcntl.h>" nogil:
    enum:
        F_DUPFD_CLOEXEC

cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    int poll(pollfd* fds, unsigned long count, int timeout_ms)
    enum:
        POLLIN

cdef enum:
    SPARE_ARENAS = 64        # kept by a worker after a burst: 256 KiB
    SPARE_CONNS = 64


# ── the worker's thread ───────────────────────────────────────────────────

cdef void* run(void* argument) noexcept nogil:
    """The loop of one worker."""
    cdef thread* t = <thread*>argument
    cdef worker* w = &t.w
    cdef int wait_ms
    while not t.stopping:
        wait_ms = 0
        if links_empty(&w.agains):
            wait_ms = timers_wait_ms(&w.wheel, w.now_ns)
        if not links_empty(&w.thirsty) and (wait_ms < 0 or wait_ms > THIRST_MS):
            wait_ms = THIRST_MS
        poller_wait(&w.poll, wait_ms)
        w.now_ns = clock_now_ns()
        poller_handle(&w.poll)
        worker_run_agains(w)
        worker_run_thirsty(w)
        timers_fire(&w.wheel, w.now_ns)
        worker_run_errands(w)
        worker_bury(w)
    return NULL


cdef void on_order(letter* l, void* reader) noexcept nogil:
    """What Python asked for, in the worker's own thread."""
    cdef order* o = <order*>l
    cdef thread* t = <thread*>reader
    if o.kind == ORDER_PLAN:
        t.proxy.plan = <const proxy_plan*>o.what
    elif o.kind == ORDER_LISTEN:
        t.listeners[o.listener].on_accept = on_accept
        t.listeners[o.listener].tls = <const tls_entry*>o.what
        listener_start(
            &t.listeners[o.listener], &t.w, o.fd, o.listener, t.proxy.plan.services[o.listener].label
        )
    elif o.kind == ORDER_CLOSE:
        listener_stop(&t.listeners[o.listener])
    elif o.kind == ORDER_CLOSE_IDLE:
        h1_server_close_idle(&t.w)
        h2_servers_close_idle(&t.w)
    elif o.kind == ORDER_TLS:
        t.listeners[o.listener].tls = <const tls_entry*>o.what
    elif o.kind == ORDER_DRAIN:
        t.w.draining = True
        h2_servers_drain(&t.w)
    elif o.kind == ORDER_GO_ON:
        t.w.draining = False
    elif o.kind == ORDER_ENDPOINTS:
        live_adopt(<const endpoint_change*>o.what, t.w.id, t.w.now_ns)
    elif o.kind == ORDER_HEALTH:
        t.proxy.health_len = (<const span*>o.what).len
        memcpy(t.proxy.health, (<const span*>o.what).at, t.proxy.health_len)
    else:
        t.stopping = True
    sem_post(o.done)


cdef void on_accept(listener* l, transport* t) noexcept nogil:
    if l.tls is not NULL and l.tls.accept(t, l.tls.context) < 0:
        t.ops.close(t, True)
        return
    h1_server_open(l.home, t, NULL, 0)


cdef void ring_bell(void* ringer) noexcept nogil:
    """The journal was empty and is no more: Python comes sooner than its next tick."""
    cdef uint64_t one = 1
    write((<handoff_queue*>ringer).bell, &one, sizeof(one))


cdef stream* to_python(worker* w, int listener, const stream* down) noexcept nogil:
    return handoff_open(<handoff_queue*>w.engine, w, listener)


# ── Python's side ─────────────────────────────────────────────────────────

cdef class Engine:
    def __cinit__(self, int worker_count, dict bounds):
        """
        worker_count   threads
        bounds         the fields of `limits` in ext/transport/worker.pxd, by name, and
                       labels_max: values of a label that callers choose;
                       journal_bytes: backlog of finished exchanges, 0 for none
        """
        cdef int i
        if handoff_open_queue(&self.calls) < 0:
            raise OSError("no descriptor is left for the engine")
        sem_init(&self.ordered, 0, 0)
        self.worker_count = worker_count
        self.live = Live(worker_count)
        self.contexts = {}
        self.take_bounds(bounds)
        self.threads = <thread*>calloc(worker_count, sizeof(thread))
        if self.threads is NULL:
            raise MemoryError()
        for i in range(worker_count):
            self.prepare(&self.threads[i], i)
            self.prepare_proxy(&self.threads[i], bounds["labels_max"], bounds["journal_bytes"])
            self.live.mails[i] = &self.threads[i].w.mail

    cdef void take_bounds(self, dict bounds) except *:
        cdef limits* b = &self.bounds
        b.head_max = bounds["head_max"]
        b.response_head_max = bounds["response_head_max"]
        b.fields_max = bounds["fields_max"]
        b.observe = bounds["observe"]
        b.head_timeout_ns = bounds["head_timeout_ns"]
        b.idle_timeout_ns = bounds["idle_timeout_ns"]
        b.linger_timeout_ns = bounds["linger_timeout_ns"]
        b.drain_max = bounds["drain_max"]
        b.h2_streams_max = bounds["h2_streams_max"]
        b.h2_window_bytes = bounds["h2_window_bytes"]
        b.h2_resets_max = bounds["h2_resets_max"]
        b.h2_control_max = bounds["h2_control_max"]
        b.h2_period_ns = bounds["h2_period_ns"]
        b.buffers_max = bounds["buffers_max"]
        b.connect_timeout_ns = bounds["connect_timeout_ns"]

    cdef void prepare(self, thread* t, int id) except *:
        """Everything a worker needs, before its thread exists."""
        cdef worker* w = &t.w
        cdef int i
        w.id = id
        w.now_ns = clock_now_ns()
        w.bounds = &self.bounds
        w.stats = &t.counts
        w.mux = &t.mux
        w.proxy = &t.proxy
        w.engine = &self.calls
        shard_init(&t.counts)
        timers_init(&w.wheel, w.now_ns)
        if poller_open(&w.poll) < 0 or mailbox_open(&w.mail, t) < 0 or poller_add(&w.poll, &w.mail.bell) < 0:
            raise OSError("no descriptor is left for a worker")
        slab_init(&w.arenas, ARENA_CHUNK, SPARE_ARENAS)
        slab_init(&w.transports, sizeof(transport), SPARE_CONNS)
        block_pool_init(&w.blocks, &self.buffers_used, self.bounds.buffers_max)
        w.scratch = <char*>malloc(SCRATCH_BYTES)
        links_init(&w.errands)
        links_init(&w.agains)
        links_init(&w.thirsty)
        links_init(&w.grave)
        links_init(&w.conns)
        self.prepare_mux(t)
        for i in range(LISTENERS_MAX):
            t.listeners[i].w.fd = -1

    cdef void prepare_mux(self, thread* t) except *:
        t.mux.fields = <field*>malloc(sizeof(field) * <size_t>self.bounds.fields_max)
        if t.mux.fields is NULL or t.w.scratch is NULL:
            raise MemoryError()
        t.mux.request_limits.head_max = self.bounds.head_max
        t.mux.request_limits.fields_max = self.bounds.fields_max
        t.mux.request_limits.observe = self.bounds.observe
        t.mux.response_limits = t.mux.request_limits
        t.mux.response_limits.head_max = self.bounds.response_head_max
        slab_init(&t.mux.servers, sizeof(h1_server), SPARE_CONNS)
        slab_init(&t.mux.clients, sizeof(h1_client), SPARE_CONNS)
        slab_init(&t.mux.h2_streams, sizeof(h2_stream), SPARE_CONNS)
        links_init(&t.mux.h2_servers)
        t.mux.on_stream = exchange_accept

    cdef void prepare_proxy(self, thread* t, int labels_max, uint64_t journal_bytes) except *:
        busy_init(&t.proxy.load, t.w.now_ns)
        t.proxy.to_python = to_python
        getrandom(&t.proxy.random, sizeof(uint64_t), 0)
        t.proxy.random |= 1
        if series_init(&t.proxy.label_sets, labels_max, SERIES_MAX) < 0:
            raise MemoryError()
        if journal_bytes and journal_open(
            &t.proxy.finished, journal_bytes, &t.counts, 1, ring_bell, &self.calls
        ) < 0:
            raise MemoryError()

    def __dealloc__(self):
        cdef int i
        if self.threads is not NULL:
            for i in range(self.worker_count):
                self.clear(&self.threads[i])
            free(self.threads)
            handoff_close_queue(&self.calls)
            sem_destroy(&self.ordered)

    cdef void clear(self, thread* t) noexcept:
        """After the thread has ended."""
        mailbox_read(&t.w.mail)
        slab_clear(&t.w.arenas)
        slab_clear(&t.w.transports)
        slab_clear(&t.w.blocks.blocks)
        slab_clear(&t.mux.servers)
        slab_clear(&t.mux.clients)
        series_clear(&t.proxy.label_sets)
        journal_close(&t.proxy.finished)
        slab_clear(&t.mux.h2_streams)
        free(t.mux.fields)
        free(t.w.scratch)
        mailbox_close(&t.w.mail)
        poller_close(&t.w.poll)

    def start(self, Plan plan not None):
        """Starts the workers; signals stay with the threads of Python."""
        cdef sigset_t all
        cdef sigset_t before
        cdef int i
        self.plan = plan
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        for i in range(self.worker_count):
            self.threads[i].proxy.plan = &plan.c
            if pthread_create(&self.threads[i].id, NULL, run, &self.threads[i]) == 0:
                self.threads[i].started = True
        pthread_sigmask(SIG_SETMASK, &before, NULL)
        self.running = True

    cdef void tell(self, order_kind kind, int listener, const void* what, int* fds) except *:
        """One order to every worker; comes back when all have obeyed. Obeys for those that do not run."""
        cdef order* orders = <order*>calloc(self.worker_count, sizeof(order))
        cdef int i, _i
        if orders is NULL:
            raise MemoryError()
        for i in range(self.worker_count):
            orders[i].l.on_read = on_order
            orders[i].kind = kind
            orders[i].listener = listener
            orders[i].what = what
            orders[i].fd = fds[i] if fds is not NULL else -1
            orders[i].done = &self.ordered
            if self.running:
                mailbox_post(&self.threads[i].w.mail, &orders[i].l)
            else:
                on_order(&orders[i].l, &self.threads[i])
        with nogil:
            for _i in range(self.worker_count):
                while sem_wait(&self.ordered) < 0:
                    pass
        free(orders)

    def apply(self, Plan plan not None):
        """All workers use the plan when this returns."""
        self.tell(ORDER_PLAN, 0, &plan.c, NULL)
        self.plan = plan

    def listen(self, int listener, str host, int port, TlsDoor tls=None):
        """Binds and accepts; returns the port. Raises OSError when the port is in use.

        More than one worker share the port, but the first bind is a plain one:
        two sockets with SO_REUSEPORT would bind happily beside a stranger's.
        """
        cdef int fds[64]
        cdef uint16_t bound = 0
        cdef int i
        cdef bytes address = host.encode()
        cdef int first = listen_open(address, port, False, &bound)
        if first < 0:
            raise OSError(-first, f"cannot listen on {host} port {port}")
        if self.worker_count == 1:
            fds[0] = first
        else:
            close(first)
            for i in range(self.worker_count):
                fds[i] = listen_open(address, bound, True, &bound)
                if fds[i] < 0:
                    raise OSError(-fds[i], f"cannot listen on {host} port {bound}")
        self.contexts[listener] = tls
        self.tell(ORDER_LISTEN, listener, &tls.entry if tls is not None else NULL, fds)
        return bound

    def adopt(self, int listener, int fd, TlsDoor tls=None):
        """Accepts from a listening socket that outlives this process; all workers share it.

        fd      stays the caller's
        Raises  OSError when it is no open descriptor
        """
        cdef int fds[64]
        cdef int i, done
        for i in range(self.worker_count):
            fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3)
            if fds[i] < 0:
                done = errno
                while i > 0:
                    i -= 1
                    close(fds[i])
                raise OSError(done, f"cannot listen on descriptor {fd}")
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)
        self.contexts[listener] = tls
        self.tell(ORDER_LISTEN, listener, &tls.entry if tls is not None else NULL, fds)

    def close(self, int listener):
        """Accepts no more there; open connections go on."""
        self.tell(ORDER_CLOSE, listener, NULL, NULL)

    def close_idle(self):
        """Ends the connections of callers that carry no exchange now."""
        self.tell(ORDER_CLOSE_IDLE, 0, NULL, NULL)

    def use_tls(self, int listener, TlsDoor tls not None):
        """New connections of that listener get this certificate."""
        self.tell(ORDER_TLS, listener, &tls.entry, NULL)
        self.contexts[listener] = tls

    def drain(self, bint draining):
        """Probes are refused and connections close after their answer, or no longer."""
        self.tell(ORDER_DRAIN if draining else ORDER_GO_ON, 0, NULL, NULL)

    def endpoints(self, str name, endpoints, bint unlimited=False, start=None):
        """Who serves that target from now on; gives the version of the set, which all workers use when this returns.

        endpoints  (host, port, requests at once), all that are well; those that were set aside come back.
        unlimited  any number of requests at once; for a target that does not hold it is always so.
        start      how long the newest took to be decided on, created, started and ready, in ns; None: not known.
        Raises     ValueError when something is wrong with them: then nothing has changed.
        """
        cdef Change change = self.live.prepare(name, endpoints, unlimited)
        cdef int i
        if start is not None:
            change.c.starts = True
            for i in range(START_PHASES):
                change.c.newest.phases_ns[i] = start[i]
        if change.c.next is not NULL or change.c.starts:
            self.tell(ORDER_ENDPOINTS, 0, &change.c, NULL)
        return self.live.finish(change)

    def forget(self, str name):
        """Lets go of a target that no plan in use has; requests that wait there keep waiting until their time is up."""
        if self.live.comes_and_goes(name):
            self.endpoints(name, [], self.live.is_unlimited(name))
        self.live.forget(name)

    @property
    def calls_fd(self):
        """Readable while wait has something to give."""
        return self.calls.bell

    @property
    def events_fd(self):
        """Readable while take_events has something to give."""
        return self.live.events_fd()

    def take_events(self):
        """As Live.take_events gives them."""
        return self.live.take_events()

    def report(self):
        """As Live.report gives it."""
        return self.live.report()

    def health(self, str reason=None):
        """Why an activator's kubelet probes fail; None: they succeed."""
        cdef bytes text = (reason or "").encode()[:HEALTH_MAX]
        cdef span told = span_of(text, len(text))
        self.tell(ORDER_HEALTH, 0, &told, NULL)

    def stop(self):
        """Ends the workers; what still runs is cut off."""
        cdef int i
        if not self.running:
            return
        self.tell(ORDER_STOP, 0, NULL, NULL)
        self.running = False
        with nogil:
            for i in range(self.worker_count):
                if self.threads[i].started:
                    pthread_join(self.threads[i].id, NULL)
        for i in range(self.worker_count):
            self.end(&self.threads[i])
        handoff_end(&self.calls)
        for i in range(self.worker_count):
            mailbox_read(&self.threads[i].w.mail)

    cdef void end(self, thread* t) noexcept:
        """After the threads have ended: closes what they left open."""
        cdef int i
        for i in range(LISTENERS_MAX):
            listener_stop(&t.listeners[i])
        h1_server_end_all(&t.w)
        h2_servers_end(&t.w)
        self.live.close_pools(t.w.id)
        mailbox_read(&t.w.mail)
        worker_run_errands(&t.w)
        worker_bury(&t.w)

    def wait(self, int timeout_ms):
        """The calls that have come; waits for the first, a signal, or the timeout (-1: none)."""
        cdef pollfd bell
        cdef uint64_t rings
        cdef handoff_call* c
        bell.fd = self.calls.bell
        bell.events = POLLIN
        with nogil:
            poll(&bell, 1, timeout_ms)
            read(self.calls.bell, &rings, sizeof(rings))
        calls = []
        while True:
            c = handoff_take(&self.calls)
            if c is NULL:
                return calls
            call = Call()
            (<Call>call).c = c
            (<Call>call).engine = self
            calls.append(call)

    def snapshot(self):
        """One dict for each worker: "counters" by name, "load" as busy_read gives it, exchanges "in_flight"
        for the app, accepted "conns" that are open."""
        cdef int i
        return [
            {
                "counters": shard_read(&self.threads[i].counts),
                "load": busy_read(&self.threads[i].proxy.load),
                "in_flight": self.threads[i].proxy.in_flight,
                "conns": self.threads[i].w.conn_count,
            }
            for i in range(self.worker_count)
        ]

    def cold(self):
        """{phase: [numbers by bucket of duration_bounds_ns, sum in ns]} of requests that waited for an instance
        to start, all workers together."""
        cdef durations now
        cdef int i, phase, bucket
        together = {}
        for phase in range(COLD_PHASES):
            found = together[cold_names[phase].decode()] = [[0] * (DURATION_BOUNDS + 1), 0]
            for i in range(self.worker_count):
                durations_copy(&self.threads[i].proxy.cold[phase], &now)
                for bucket in range(DURATION_BOUNDS + 1):
                    found[0][bucket] += now.counts[bucket]
                found[1] += now.sum_ns
        return together

    def load(self):
        """busy_read of each worker: all that the autoscaler's tick needs."""
        cdef int i
        return [busy_read(&self.threads[i].proxy.load) for i in range(self.worker_count)]

    def series(self):
        """Label sets with their histograms, all workers together, as series_read gives them."""
        cdef int i
        together = {}
        for i in range(self.worker_count):
            series_read(&self.threads[i].proxy.label_sets, together)
        return together

    def finished(self, size_t bytes_max):
        """Records of finished exchanges that nobody has read yet, about `bytes_max` of each worker."""
        cdef int i
        records = []
        for i in range(self.worker_count):
            records += journal_drain(&self.threads[i].proxy.finished, bytes_max)
        return records

    def backlog(self):
        """Bytes of finished exchanges that nobody has read, all workers."""
        cdef int i
        cdef uint64_t waiting = 0
        for i in range(self.worker_count):
            waiting += journal_waiting(&self.threads[i].proxy.finished)
        return waiting

    def buffers(self):
        """Bytes that wait in buffers, all workers."""
        return self.buffers_used


@cython.no_gc_clear  # the engine must be there when a call dies unanswered
cdef class Call:
    def __dealloc__(self):
        if self.c is not NULL:
            handoff_answer(self.c, 500, b"Content-Length: 0\r\n", 19, b"", 0)

    @property
    def listener(self):
        return self.c.listener

    @property
    def method(self):
        return self.c.text[:self.c.method_len]

    @property
    def target(self):
        return self.c.text[self.c.method_len:self.c.method_len + self.c.target_len]

    @property
    def fields(self):
        """Lines "name: value CRLF", as they came."""
        start = self.c.method_len + self.c.target_len
        return self.c.text[start:start + self.c.fields_len]

    def answer(self, int status, bytes fields, bytes body):
        """Once. `fields` are lines "name: value CRLF"; the length is added here."""
        cdef handoff_call* c = self.c
        if c is NULL:
            raise ValueError("this call has been answered")
        self.c = NULL
        fields += b"Content-Length: %d\r\n" % len(body)
        handoff_answer(c, status, fields, len(fields), body, len(body))
