# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""plan: plain values in, an immutable plan of the C side out.

Floor      plan: may cimport every floor below.
Takes      values that the caller has checked, but for names of hosts, which come from a cluster.
"""

from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from ext.base.span cimport span_of
from ext.hosts cimport HostRoutes
from ext.live cimport Live
from ext.proxy.directory cimport (
    directory,
    directory_drop,
    directory_new,
    directory_put,
    directory_share,
)
from ext.proxy.exchange cimport REQUEST_FOREVER
from ext.proxy.plan cimport (
    LISTENERS_MAX,
    ROLE_ACTIVATOR,
    ROLE_GATEWAY,
    ROLE_SIDECAR,
    SERVE_HOSTS,
    SERVE_PYTHON,
    SERVE_REVISION,
    SERVE_TARGET,
    trust,
)
from ext.proxy.routes cimport (
    HOST_BYTES_MAX,
    host_routes,
    host_table,
    host_table_drop,
    host_table_new,
    host_table_set,
    host_table_share,
)
from ext.stats.shard cimport LISTENER_COUNT
from ext.upstream.target cimport target, target_drop, target_share

ROLES = {"sidecar": ROLE_SIDECAR, "activator": ROLE_ACTIVATOR, "gateway": ROLE_GATEWAY}

BY_REVISION = 1
"""In place of a target's name: the one of the revision that the request names."""

BY_HOST = 2
"""Likewise: where the routes of an external host lead."""

BY_HOST_PRIVATE = 3
"""Likewise, local hosts too."""

FOREVER_NS = REQUEST_FOREVER
"""request_ns of a target whose requests may take any time."""


cdef class Plan:
    def __init__(
        self, Live live not None, *, int version, dict targets, dict services, Plan previous=None, without=(),
        dict hosts=None, str role="sidecar", str domain="cluster.local", trusted=(),
        bint metrics=False, bint logging=False, bint log_probes=False, tracing=None, bint timing=False,
    ):
        """
        live      the engine's targets, rosters and endpoints, by name
        targets   name -> {"endpoints": [(host, port)], or None: those that Engine.endpoints says,
                  "idle_max": connections to each, of each worker,
                  "running_max": requests or 0 (with one endpoint),
                  "hold": requests wait while no endpoint has a free slot, and one that refuses a connection is
                  set aside; else they are refused, and who refuses is asked again (with None),
                  "waiting_max": requests,
                  "request_ns", "start_ns", "idle_ns": 0 for none (request_ns 0: at once, FOREVER_NS: none),
                  "protocol": "follow" | "http1" | "h2c" | "detect",
                  and, if wanted, "reports": Engine.report tells of it,
                  "marks": we are its activator: requests are marked as such, and a gateway answers
                  the activator's probes, which wake nobody,
                  "host": an activator sends this as Host, with K-Passthrough-Lb}
        services  listener id -> (label, target name), (label, BY_REVISION: names are "namespace/revision"),
                  (label, BY_HOST), (label, BY_HOST_PRIVATE), or (label, None): Python answers;
                  a third value is the role there
        previous  a plan whose targets and hosts this one has too, but for those in `targets`, in `without`,
                  and in `hosts`
        hosts     name -> HostRoutes, or None: it goes; names in lower case: `a.example`, `*.example`: what ends
                  so, `*`: all else. A target that the plan does not have is answered with 503.
        role      "sidecar" | "activator" | "gateway": which statuses and texts callers see
        domain    the cluster's, for BY_REVISION
        trusted   (network, bits) pairs, 16 bytes each; empty: everyone
        timing    who waited for an instance to start is told in Server-Timing for what
        tracing   None, or (follow the caller's decision, threshold of 64 bits)
        """
        self.version = version
        self.c.version = version
        self.c.metrics = metrics
        self.c.timing = timing
        self.c.logging = logging
        self.c.log_probes = log_probes
        if tracing is not None:
            self.c.tracing = True
            self.c.trace_parent = tracing[0]
            self.c.trace_threshold = tracing[1]
        self.take_trusted(trusted)
        self.take_domain(domain.encode())
        self.take_targets(live, targets, previous, without)
        self.take_hosts(hosts, previous)
        self.take_services(live, services, ROLES[role])

    cdef void take_trusted(self, trusted) except *:
        cdef bytes network
        cdef int i = 0
        self.c.trusted = <trust*>calloc(len(trusted) + 1, sizeof(trust))
        if self.c.trusted is NULL:
            raise MemoryError()
        for address, bits in trusted:
            network = address
            memcpy(self.c.trusted[i].network, <const char*>network, 16)
            self.c.trusted[i].bits = bits
            i += 1
        self.c.trusted_count = i

    cdef void take_domain(self, bytes domain) except *:
        cdef char* text = <char*>malloc(len(domain) + 1)
        if text is NULL:
            raise MemoryError()
        memcpy(text, <const char*>domain, len(domain))
        self.c.domain = span_of(text, len(domain))

    cdef void take_targets(self, live, dict targets, Plan previous, without) except *:
        """A copy of the directory before, with the changes; the very same when there are none."""
        cdef Live home = live
        cdef directory* before = NULL if previous is None else previous.c.targets
        cdef target* t
        cdef uint64_t i
        for name, wish in targets.items():
            home.target_for(name, wish)
        if before is not NULL and not targets and not without:
            self.c.targets = directory_share(before)
            return
        changed = {name.encode() for name in [*targets, *without]}
        self.c.targets = directory_new((before.count if before is not NULL else 0) + len(targets))
        if self.c.targets is NULL:
            raise MemoryError()
        if before is not NULL:
            for i in range(before.mask + 1):
                t = before.rows[i]
                if t is not NULL and t.live.name[:t.live.name_len] not in changed:
                    directory_put(self.c.targets, t)
        for name in targets:
            directory_put(self.c.targets, home.target_of(name))

    cdef void take_hosts(self, dict hosts, Plan previous) except *:
        """The table before with the changes; the very same when there are none."""
        cdef host_table* before = NULL if previous is None else previous.c.hosts
        cdef host_routes* routes
        cdef bytes text
        cdef bint wild
        if not hosts:
            self.c.hosts = host_table_share(before) if before is not NULL else NULL
            return
        wrong = [name for name in hosts if not is_host_name(name)]
        if wrong:
            raise ValueError(f"no names of hosts in lower case: {wrong}")
        self.c.hosts = host_table_new(before)
        if self.c.hosts is NULL:
            raise MemoryError()
        for name, wish in hosts.items():
            wild = name.startswith("*.")
            text = name[1:].encode() if wild else name.encode()
            routes = NULL if wish is None else (<HostRoutes?>wish).c
            if not host_table_set(self.c.hosts, text, len(text), wild, routes):
                raise MemoryError()

    cdef void take_services(self, live, dict services, int role) except *:
        cdef Live home = live
        for listener, (label, name, *own_role) in services.items():
            if not 0 <= listener < LISTENERS_MAX or not 0 <= label < <int>LISTENER_COUNT:
                raise ValueError(f"listener {listener} with label {label} is out of range")
            self.c.services[listener].label = label
            self.c.services[listener].role = ROLES[own_role[0]] if own_role else role
            if name is None:
                self.c.services[listener].kind = SERVE_PYTHON
            elif name is BY_REVISION:
                self.c.services[listener].kind = SERVE_REVISION
            elif name is BY_HOST or name is BY_HOST_PRIVATE:
                self.c.services[listener].kind = SERVE_HOSTS
                self.c.services[listener].private = name is BY_HOST_PRIVATE
            else:
                self.c.services[listener].kind = SERVE_TARGET
                self.c.services[listener].to = target_share(home.target_of(name))

    def __dealloc__(self):
        cdef int i
        free(self.c.trusted)
        free(<char*>self.c.domain.at)
        if self.c.targets is not NULL:
            directory_drop(self.c.targets)
        if self.c.hosts is not NULL:
            host_table_drop(self.c.hosts)
        for i in range(LISTENERS_MAX):
            if self.c.services[i].to is not NULL:
                target_drop(self.c.services[i].to)


cdef bint is_host_name(str name) except *:
    plain = name.removeprefix("*.")
    return 0 < len(plain.encode()) <= HOST_BYTES_MAX - 1 and name == name.lower()
