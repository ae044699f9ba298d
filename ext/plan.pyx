# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""plan: plain values in, an immutable plan of the C side out.

Floor      plan: may cimport every floor below.
Takes      values that the caller has checked: nothing here explains a mistake.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from ext.admission.limiter cimport limiter_share
from ext.live cimport Live
from ext.proxy.plan cimport LISTENERS_MAX, SERVE_PYTHON, SERVE_TARGET, trust
from ext.stats.shard cimport LISTENER_COUNT
from ext.upstream.endpoint cimport endpoint_share
from ext.upstream.target cimport (
    APP_DETECT,
    APP_FOLLOW,
    APP_H2C,
    APP_HTTP1,
    target,
    target_drop,
    target_new,
    target_share,
)

APP_PROTOCOLS = {"follow": APP_FOLLOW, "http1": APP_HTTP1, "h2c": APP_H2C, "detect": APP_DETECT}


cdef class Plan:
    def __init__(
        self, Live live, *, int version, dict targets, dict services, trusted=(), bint metrics=False,
        bint logging=False, bint log_probes=False, tracing=None,
    ):
        """
        live      the engine's limiters and endpoints, by name
        targets   name -> {"endpoints": [(host, port), ...], "idle_max": connections,
                  "running_max": requests or 0, "waiting_max": requests,
                  "request_ns", "start_ns", "idle_ns": 0 for none (request_ns 0: at once),
                  "protocol": "follow" | "http1" | "h2c" | "detect"}
        services  listener id -> (label, target name), or (label, None): Python answers
        trusted   (network, bits) pairs, 16 bytes each; empty: everyone
        tracing   None, or (follow the caller's decision, threshold of 64 bits)
        """
        self.version = version
        self.c.version = version
        self.c.metrics = metrics
        self.c.logging = logging
        self.c.log_probes = log_probes
        if tracing is not None:
            self.c.tracing = True
            self.c.trace_parent = tracing[0]
            self.c.trace_threshold = tracing[1]
        self.take_trusted(trusted)
        made = {}
        for name, wish in targets.items():
            made[name] = TargetShare(live, name, wish)
        for listener, (label, name) in services.items():
            if not 0 <= listener < LISTENERS_MAX or not 0 <= label < <int>LISTENER_COUNT:
                raise ValueError(f"listener {listener} with label {label} is out of range")
            self.c.services[listener].label = label
            if name is None:
                self.c.services[listener].kind = SERVE_PYTHON
            else:
                self.c.services[listener].kind = SERVE_TARGET
                self.c.services[listener].to = (<TargetShare>made[name]).share()

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

    def __dealloc__(self):
        cdef int i
        free(self.c.trusted)
        for i in range(LISTENERS_MAX):
            if self.c.services[i].to is not NULL:
                target_drop(self.c.services[i].to)


cdef class TargetShare:
    """One share of a target while a plan is being built.

    Ownership
        to    shares
    """
    cdef target* to

    def __init__(self, Live live, str name, dict wish):
        cdef int i = 0
        endpoints = wish["endpoints"]
        self.to = target_new(len(endpoints))
        if self.to is NULL:
            raise MemoryError()
        for host, port in endpoints:
            self.to.endpoints[i] = endpoint_share(live.endpoint_of(host, port, wish["idle_max"]))
            i += 1
        if wish["running_max"]:
            self.to.gate = limiter_share(live.limiter_of(name, wish["running_max"], wish["waiting_max"]))
        self.to.request_ns = wish["request_ns"]
        self.to.start_ns = wish["start_ns"]
        self.to.idle_ns = wish["idle_ns"]
        self.to.speaks = APP_PROTOCOLS[wish["protocol"]]

    cdef target* share(self):
        return target_share(self.to)

    def __dealloc__(self):
        if self.to is not NULL:
            target_drop(self.to)
