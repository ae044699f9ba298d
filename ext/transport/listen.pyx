# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""listen: bodies; the story is in listen.pxd.

Floor      transport: may cimport ext.base, ext.stats, ext.loop.
"""

from libc.errno cimport EMFILE, ENFILE, ENOBUFS, ENOMEM, errno
from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memset
from posix.unistd cimport close

from ext.base.clock cimport NS_PER_MS
from ext.loop.poller cimport poller_add_level, poller_remove, watch
from ext.loop.timers cimport timer, timer_drop, timer_init, timer_set
from ext.stats.shard cimport BOUND_DESCRIPTORS, counter_add
from ext.transport.tcp cimport tcp_adopt, tcp_start
from ext.transport.transport cimport transport
from ext.transport.worker cimport worker

cdef extern from "<sys/socket.h>" nogil:
    struct sockaddr:
        pass
    struct sockaddr_storage:
        unsigned short ss_family
    int socket(int domain, int kind, int protocol)
    int bind(int fd, const sockaddr* address, unsigned int n)
    int listen(int fd, int backlog)
    int accept4(int fd, sockaddr* address, unsigned int* n, int flags)
    int getsockname(int fd, sockaddr* address, unsigned int* n)
    int setsockopt(int fd, int level, int name, const void* value, unsigned int n)
    enum:
        AF_INET
        AF_INET6
        SOCK_STREAM
        SOCK_NONBLOCK
        SOCK_CLOEXEC
        SOL_SOCKET
        SO_REUSEADDR
        SO_REUSEPORT

cdef extern from "<netinet/in.h>" nogil:
    struct sockaddr_in:
        unsigned short sin_family
        uint16_t sin_port
        uint32_t sin_addr
    struct in6_addr:
        pass
    struct sockaddr_in6:
        unsigned short sin6_family
        uint16_t sin6_port
        in6_addr sin6_addr
    uint16_t htons(uint16_t)
    uint16_t ntohs(uint16_t)
    enum:
        IPPROTO_TCP
        IPPROTO_IPV6
        IPV6_V6ONLY

cdef extern from "<netinet/tcp.h>" nogil:
    enum:
        TCP_NODELAY

cdef extern from "<arpa/inet.h>" nogil:
    int inet_pton(int family, const char* text, void* address)

cdef enum:
    BACKLOG = 4096
    BURST_MAX = 64
    REST_MS = 100


cdef int listen_open(const char* host, uint16_t port, bint shared, uint16_t* bound) noexcept nogil:
    """A listening descriptor, or the negative errno.

    host    an IPv4 or IPv6 address; "::" takes IPv4 as well
    shared  other listeners of ours share the port (SO_REUSEPORT); the first
            one must have been bound without it, since two of them bind happily
            to a port that a stranger's SO_REUSEPORT listener holds
    bound   the port, also when 0 was asked for
    """
    cdef sockaddr_storage address
    cdef sockaddr_in* four = <sockaddr_in*>&address
    cdef sockaddr_in6* six = <sockaddr_in6*>&address
    cdef unsigned int n
    cdef int one = 1
    cdef int zero = 0
    cdef int fd
    cdef int error
    memset(&address, 0, sizeof(address))
    if inet_pton(AF_INET, host, &four.sin_addr) == 1:
        four.sin_family = AF_INET
        four.sin_port = htons(port)
        n = sizeof(sockaddr_in)
    else:
        inet_pton(AF_INET6, host, &six.sin6_addr)
        six.sin6_family = AF_INET6
        six.sin6_port = htons(port)
        n = sizeof(sockaddr_in6)
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if fd < 0:
        return -errno
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one))
    if shared:
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one))
    if address.ss_family == AF_INET6:
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero))
    # Accepted connections inherit it, which saves a call for each.
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
    if bind(fd, <sockaddr*>&address, n) < 0 or listen(fd, BACKLOG) < 0 or getsockname(fd, <sockaddr*>&address, &n) < 0:
        error = errno
        close(fd)
        return -error
    bound[0] = ntohs(six.sin6_port if address.ss_family == AF_INET6 else four.sin_port)
    return fd


cdef void rested(timer* t, uint64_t now_ns) noexcept nogil:
    cdef listener* l = <listener*>t.owner
    l.resting = False
    poller_add_level(&l.home.poll, &l.w)


cdef void on_connections(watch* w, uint32_t ready) noexcept nogil:
    """Accepts up to `burst` connections; a full burst doubles the next."""
    cdef listener* l = <listener*>w.owner
    cdef sockaddr_storage address
    cdef unsigned int n
    cdef int fd
    cdef int _
    cdef transport* t
    for _ in range(l.burst):
        n = sizeof(address)
        fd = accept4(w.fd, <sockaddr*>&address, &n, SOCK_NONBLOCK | SOCK_CLOEXEC)
        if fd < 0:
            l.burst = 1
            if errno == EMFILE or errno == ENFILE or errno == ENOMEM or errno == ENOBUFS:
                counter_add(&l.home.stats.bounds_hit[<int>BOUND_DESCRIPTORS], 1)
                poller_remove(&l.home.poll, w)
                l.resting = True
                timer_set(&l.home.wheel, &l.rest, l.home.now_ns + REST_MS * NS_PER_MS)
            return
        t = tcp_adopt(l.home, fd, &address)
        if t is NULL:
            continue
        t.via = l
        counter_add(&l.home.stats.conns_opened[l.label], 1)
        if not tcp_start(t):
            t.ops.close(t, True)
            continue
        l.on_accept(l, t)
        if w.on_ready is NULL:
            return
    l.burst = l.burst * 2 if l.burst < BURST_MAX else BURST_MAX


cdef int listener_start(listener* l, worker* w, int fd, int id, int label) noexcept nogil:
    """In the worker's thread; takes the descriptor."""
    l.w.fd = fd
    l.w.eager = False
    l.w.owner = l
    l.w.on_ready = on_connections
    l.home = w
    l.id = id
    l.label = label
    l.burst = 1
    l.resting = False
    timer_init(&l.rest, rested, l)
    return poller_add_level(&w.poll, &l.w)


cdef void listener_stop(listener* l) noexcept nogil:
    if l.w.fd < 0:
        return
    timer_drop(&l.rest)
    # The socket may live on in other hands, and epoll would go on telling of it.
    if not l.resting:
        poller_remove(&l.home.poll, &l.w)
    close(l.w.fd)
    l.w.fd = -1
    l.w.on_ready = NULL
